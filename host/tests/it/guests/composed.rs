//! Components of several core modules, as tools for composition make them, and components that do not start.

use std::time::Duration;

use status_host::sandbox::{Limits, LoadError};

use super::{LIMITS, get, load_bytes, runtime, sandbox_of};
use crate::support::component::{HANDLE, component};

const TYPES: &str = r#"
    (import "wasi:http/types@0.2.12" (instance $types
        (export "incoming-request" (type (sub resource)))
        (export "response-outparam" (type (sub resource)))))
    (alias export $types "incoming-request" (type $request))
    (alias export $types "response-outparam" (type $out))
"#;

/// A handler that returns without a response.
const MAIN: &str = r#"
    (core module $main (func (export "handle") (param i32 i32)))
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
fn composed_component_at_the_limits_of_the_pool_runs() {
    // With the main one, 32 core instances.
    let sandbox = sandbox_of(&composed(8, 16, 7), LIMITS);
    let error = runtime().block_on(get(&sandbox, "/")).unwrap_err();
    assert_eq!(error.kind(), Some("no_response"));
}

#[test]
fn component_over_a_limit_of_the_pool_is_refused_with_the_number() {
    let large = format!("(component {TYPES} (core module $m (memory 257)) (core instance (instantiate $m)) {MAIN})");
    for (component, reason) in [
        (composed(9, 0, 0), "9 Wasm linear memories"),
        (composed(0, 17, 0), "17 tables"),
        (composed(0, 0, 32), "33 core module instances"),
        (wat::parse_str(large).unwrap(), "at most 16 MiB of memory"),
    ] {
        let error = load_bytes(&component, LIMITS).err().expect(reason);
        let remedy = "8 memories, 16 tables and 32 core instances";
        assert!(matches!(error, LoadError::Pool(..)), "{error}");
        assert!(
            error.to_string().contains(reason) && error.to_string().contains(remedy),
            "{error}"
        );
    }
}

#[test]
fn component_that_exceeds_a_limit_at_start_fails() {
    let module = |definitions| {
        component(&format!(
            "(module (memory (export \"memory\") {definitions} ({HANDLE}))"
        ))
    };
    for (component, reason) in [
        (
            composed(8, 0, 0),
            "its memory would grow to 524288 bytes, more than 458752 (--max-memory)",
        ),
        (
            module("1) (table 10001 funcref)"),
            "its tables would grow to 10001 elements",
        ),
        (
            module("1) (table 5001 funcref) (table 5000 funcref)"),
            "its tables would grow to 10001 elements",
        ),
        (
            module("1) (func $start (loop (br 0))) (start $start)"),
            "did not end within 200 ms",
        ),
        (
            module("1) (func $start unreachable) (start $start)"),
            "wasm `unreachable` instruction executed",
        ),
    ] {
        let (memory, timeout) = (448 * 1024, Duration::from_millis(200));
        let sandbox = sandbox_of(
            &component,
            Limits {
                memory,
                timeout,
                ..LIMITS
            },
        );
        sandbox.spawn_epoch_thread().unwrap();
        let error = runtime().block_on(sandbox.warm_up()).expect_err(reason);
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn table_that_grows_over_the_limit_ends_the_guest() {
    let grow = "(loop (br_if 0 (i32.ge_s (table.grow (ref.null func) (i32.const 100)) (i32.const 0))))";
    let module = format!("(module (memory (export \"memory\") 1) (table 1 funcref) ({HANDLE} {grow}))");
    let error = runtime().block_on(get(&sandbox_of(&component(&module), LIMITS), "/"));
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("its tables would grow to 10001 elements, more than 10000"),
        "{error}"
    );
}
