//! Components of several core modules, as tools for composition make them.

use std::fs;

use crate::support::wait::busy_processors;
use crate::support::{TestServer, assert_refused, run};

const TYPES: &str = r#"
    (import "wasi:http/types@0.2.12" (instance $types
        (export "incoming-request" (type (sub resource)))
        (export "response-outparam" (type (sub resource)))))
    (alias export $types "incoming-request" (type $request))
    (alias export $types "response-outparam" (type $out))
"#;

/// A handler that computes until it is stopped.
const MAIN: &str = r#"
    (core module $main (func (export "handle") (param i32 i32) (loop (br 0))))
    (core instance $main (instantiate $main))
    (func $handle (param "request" (own $request)) (param "response-out" (own $out))
        (canon lift (core func $main "handle")))
    (instance $handler (export "handle" (func $handle)))
    (export "wasi:http/incoming-handler@0.2.12" (instance $handler))
"#;

/// A component with so many memories of a page, tables, and core instances that have neither.
fn composed(memories: usize, tables: usize, others: usize) -> Vec<u8> {
    let memories = "(core instance (instantiate $memory))".repeat(memories);
    let tables = "(core instance (instantiate $table))".repeat(tables);
    let others = "(core instance (instantiate $other))".repeat(others);
    let modules = "(core module $memory (memory 1)) (core module $table (table 1 funcref)) (core module $other)";
    wat::parse_str(format!(
        "(component {TYPES} {modules} {memories} {tables} {others} {MAIN})"
    ))
    .unwrap()
}

#[test]
fn composed_component_is_served_up_to_the_concurrency_limit() {
    let _busy = busy_processors();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("composed.wasm");
    // With the main one, 32 core instances.
    fs::write(&file, composed(8, 16, 7)).unwrap();
    let server = TestServer::with_options(&format!("--max-concurrency 4 --component {}", file.display()));
    let spinning = server.occupy_instances(4);
    server.get("/").assert_problem(503);
    server.stop_now();
    drop(spinning);
}

#[test]
fn component_over_a_limit_of_the_pool_is_refused_with_the_number() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("composed.wasm");
    for (component, number) in [
        (composed(9, 0, 0), "9 Wasm linear memories"),
        (composed(0, 17, 0), "17 tables"),
        (composed(0, 0, 32), "33 core module instances"),
    ] {
        fs::write(&file, component).unwrap();
        let output = run(&["--listen", "127.0.0.1:0", "--component", file.to_str().unwrap()], &[]);
        let remedy = "8 memories, 16 tables and 32 core instances";
        assert_refused(&output, 2, &["does not fit the instance pool", number, remedy]);
    }
}

#[test]
fn memories_of_an_instance_share_the_limit() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("composed.wasm");
    fs::write(&file, composed(8, 0, 0)).unwrap();
    let options = ["--listen", "127.0.0.1:0", "--max-memory", "448KiB", "--component"];
    let output = run(&[&options[..], &[file.to_str().unwrap()]].concat(), &[]);
    assert_refused(
        &output,
        2,
        &["its memory would grow to 524288 bytes, more than 458752 (--max-memory)"],
    );
}
