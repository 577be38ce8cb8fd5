//! Guests whose host calls are expensive.

mod calls;
mod memory;
mod start;

use std::fs;

use crate::support::component::component;
use crate::support::{TestServer, run};

const IMPORTS: &str = r#"
    (import "wasi:http/types@0.2.12" "[constructor]fields" (func $fields (result i32)))
    (import "wasi:http/types@0.2.12" "[static]fields.from-list" (func $from-list (param i32 i32 i32)))
    (import "wasi:http/types@0.2.12" "[resource-drop]fields" (func $drop-fields (param i32)))
    (import "wasi:http/types@0.2.12" "[method]incoming-request.path-with-query" (func $path (param i32 i32)))
    (import "wasi:http/types@0.2.12" "[constructor]outgoing-response" (func $response (param i32) (result i32)))
    (import "wasi:http/types@0.2.12" "[method]outgoing-response.body" (func $body (param i32 i32)))
    (import "wasi:http/types@0.2.12" "[static]response-outparam.set"
        (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
    (import "wasi:http/types@0.2.12" "[method]outgoing-body.write" (func $write (param i32 i32)))
    (import "wasi:http/types@0.2.12" "[static]outgoing-body.finish" (func $finish (param i32 i32 i32 i32)))
    (import "wasi:io/streams@0.2.12" "[method]output-stream.write" (func $write-bytes (param i32 i32 i32 i32)))
    (import "wasi:io/streams@0.2.12" "[resource-drop]output-stream" (func $drop-stream (param i32)))
"#;

/// A list of one field with the name `a` and a value of 120,000 bytes is at 16; results are at 1024. The functions make
/// such a list of headers, and set an empty response.
const FUNCTIONS: &str = r#"
    (memory (export "memory") 4)
    (data (i32.const 0) "a")
    (data (i32.const 16) "\00\00\00\00\01\00\00\00\00\10\00\00\c0\d4\01\00")
    (func $fill (memory.fill (i32.const 4096) (i32.const 97) (i32.const 120000)))
    (func $make (call $from-list (i32.const 16) (i32.const 1) (i32.const 1024)))
    (func $respond (param $out i32) (param $response i32)
        (call $set (local.get $out) (i32.const 0) (local.get $response)
            (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 2048))
"#;

/// 8,000 calls in a row that copy 120,000 bytes each. There is no loop and no call of a function of the guest, where
/// compiled code would check the time.
fn straight_calls() -> String {
    let call = "(call $from-list (i32.const 16) (i32.const 1) (i32.const 1024))
        (call $drop-fields (i32.load (i32.const 1028)))";
    call.repeat(8_000)
}

/// Serves a component with these definitions. The server does not compile it, which would take memory.
#[track_caller]
fn serve(definitions: &str, options: &str) -> TestServer {
    let directory = tempfile::tempdir().unwrap();
    let file = |name| directory.path().join(name).to_str().unwrap().to_owned();
    let (portable, compiled) = (file("hostile.wasm"), file("hostile.cwasm"));
    fs::write(
        &portable,
        component(&format!("(module {IMPORTS} {FUNCTIONS} {definitions})")),
    )
    .unwrap();
    let output = run(&["compile", &portable, &compiled], &[]);
    assert!(output.status.success(), "{output:?}");
    TestServer::with_options(&format!("--allow-precompiled --component {compiled} {options}"))
}
