//! Host calls in a row in the start function.

use std::fs;

use super::straight_calls;
use crate::support::wait::busy_processors;
use crate::support::{assert_refused, run};

/// A component for the start function, as text: an encoder lets a module call functions that use memory only after its
/// instantiation.
const TYPES: &str = r#"
    (import "wasi:http/types@0.2.12" (instance $types
        (export "fields" (type $fields (sub resource)))
        (export "incoming-request" (type (sub resource)))
        (export "response-outparam" (type (sub resource)))
        (type $error (variant (case "invalid-syntax") (case "forbidden") (case "immutable")))
        (export "header-error" (type $header-error (eq $error)))
        (export "[static]fields.from-list" (func (param "entries" (list (tuple string (list u8))))
            (result (result (own $fields) (error $header-error)))))))
    (alias export $types "fields" (type $fields))
    (alias export $types "incoming-request" (type $request))
    (alias export $types "response-outparam" (type $out))
"#;

/// The memory, with the list of one field, and the functions that use it.
const LOWERED: &str = r#"
    (core module $memory
        (memory (export "memory") 4)
        (data (i32.const 0) "a")
        (data (i32.const 16) "\00\00\00\00\01\00\00\00\00\10\00\00\c0\d4\01\00")
        (func $fill (memory.fill (i32.const 4096) (i32.const 97) (i32.const 120000)))
        (start $fill))
    (core instance $memory (instantiate $memory))
    (core func $from-list (canon lower (func $types "[static]fields.from-list")
        (memory (core memory $memory "memory"))))
    (core func $drop (canon resource.drop $fields))
"#;

const MAIN: &str = r#"
    (import "a" "memory" (memory 4))
    (import "a" "from-list" (func $from-list (param i32 i32 i32)))
    (import "a" "drop" (func $drop-fields (param i32)))
    (func (export "handle") (param i32 i32))
    (start $start)
"#;

const INSTANCES: &str = r#"
    (core instance $main (instantiate $main (with "a" (instance
        (export "memory" (memory $memory "memory"))
        (export "from-list" (func $from-list))
        (export "drop" (func $drop))))))
    (func $handle (param "request" (own $request)) (param "response-out" (own $out))
        (canon lift (core func $main "handle")))
    (instance $handler (export "handle" (func $handle)))
    (export "wasi:http/incoming-handler@0.2.12" (instance $handler))
"#;

#[test]
fn straight_host_calls_at_start_are_refused() {
    let _busy = busy_processors();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("start.wasm");
    let calls = straight_calls();
    let text = format!("(component {TYPES} {LOWERED} (core module $main {MAIN} (func $start {calls})) {INSTANCES})");
    fs::write(&file, wat::parse_str(text).unwrap()).unwrap();
    let file = file.to_str().unwrap();
    let arguments = [
        "--listen",
        "127.0.0.1:0",
        "--component",
        file,
        "--request-timeout",
        "200ms",
    ];
    let output = run(&arguments, &[]);
    assert_refused(
        &output,
        2,
        &["cannot instantiate the component", "did not end within 200 ms"],
    );
}
