//! Components that no compiler produces: invalid handles, pointers, text and variants, and other releases of WASI.

use http::HeaderValue;

use super::pair::{Pair, request};
use crate::support::component::{HANDLE, component};

/// Functions for the modules. The result of a call that returns through memory is at 1024.
const IMPORTS: &str = r#"
    (import "wasi:http/types@0.2.12" "[constructor]fields" (func $fields (result i32)))
    (import "wasi:http/types@0.2.12" "[method]fields.has" (func $has (param i32 i32 i32) (result i32)))
    (import "wasi:http/types@0.2.12" "[static]fields.from-list" (func $from-list (param i32 i32 i32)))
    (import "wasi:http/types@0.2.12" "[method]fields.append" (func $append (param i32 i32 i32 i32 i32 i32)))
    (import "wasi:http/types@0.2.12" "[method]fields.entries" (func $entries (param i32 i32)))
    (import "wasi:http/types@0.2.12" "[resource-drop]fields" (func $drop-fields (param i32)))
    (import "wasi:http/types@0.2.12" "[method]incoming-request.method" (func $method (param i32 i32)))
    (import "wasi:http/types@0.2.12" "[method]incoming-request.headers" (func $headers (param i32) (result i32)))
    (import "wasi:http/types@0.2.12" "[resource-drop]incoming-request" (func $drop-request (param i32)))
    (import "wasi:http/types@0.2.12" "[constructor]outgoing-response" (func $response (param i32) (result i32)))
    (import "wasi:http/types@0.2.12" "[method]outgoing-response.set-status-code"
        (func $set-status (param i32 i32) (result i32)))
    (import "wasi:http/types@0.2.12" "[static]response-outparam.set"
        (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
    (import "wasi:http/types@0.2.12" "[resource-drop]response-outparam" (func $drop-out (param i32)))
    (import "wasi:io/poll@0.2.12" "poll" (func $poll (param i32 i32 i32)))
    (import "wasi:cli/environment@0.2.12" "get-environment" (func $environment (param i32)))
"#;

/// Sets a response without headers, and drops nothing else.
const RESPOND: &str = "(call $set (local.get 1) (i32.const 0) (call $response (call $fields))
    (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))";

/// A module that handles a request by `handle`, allocates every list of the host at `allocation`, and has the bytes
/// `a`, `\ff`, and a list of one pair at 16.
pub fn module(handle: &str, allocation: &str) -> String {
    format!(
        r#"(module {IMPORTS}
            (memory (export "memory") 1)
            (data (i32.const 0) "a\ff")
            (data (i32.const 16) "\00\00\00\00\01\00\00\00\00\00\00\00\01\00\00\00")
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {allocation})
            ({HANDLE} {handle}))"#
    )
}

pub const ALLOCATION: &str = "(i32.const 2048)";

#[track_caller]
fn assert_module_agrees(handle: &str, allocation: &str, fragment: &str) {
    let pair = Pair::of_bytes(&component(&module(handle, allocation)));
    let mut request = request("GET", "/", b"");
    request.headers_mut().insert("a", HeaderValue::from_static("b"));
    pair.assert_agree(&request, fragment);
}

#[test]
fn unusual_guests_agree() {
    for (handle, fragment) in [
        ("", "failure no_response"),
        (RESPOND, "200\n\n"),
        ("(call $drop-out (local.get 1))", "failure no_response"),
        (&format!("(call $drop-request (local.get 0)) {RESPOND}"), "200\n\n"),
        (
            &format!("(call $method (local.get 0) (i32.const 1024)) {RESPOND}"),
            "200\n\n",
        ),
        (&format!("(call $environment (i32.const 1024)) {RESPOND}"), "200\n\n"),
        (
            &format!("(call $entries (call $headers (local.get 0)) (i32.const 1024)) {RESPOND}"),
            "200\n\n",
        ),
        // A list of one pair, and the headers that it makes.
        (
            "(call $from-list (i32.const 16) (i32.const 1) (i32.const 1024))
          (call $set (local.get 1) (i32.const 0) (call $response (i32.load (i32.const 1028)))
            (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
            "200\na: a\n\n",
        ),
        // The error `DNS-timeout`.
        (
            "(call $set (local.get 1) (i32.const 1) (i32.const 0)
            (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
            "DnsTimeout",
        ),
        (
            &format!("(drop (call $set-status (call $response (call $fields)) (i32.const 65535))) {RESPOND}"),
            "200\n\n",
        ),
    ] {
        assert_module_agrees(handle, ALLOCATION, fragment);
    }
}

#[test]
fn invalid_arguments_agree() {
    for handle in [
        // Handles that do not exist, that have another type, and that were dropped or passed on.
        "(drop (call $has (i32.const 99) (i32.const 0) (i32.const 1)))",
        "(drop (call $has (i32.const 0) (i32.const 0) (i32.const 1)))",
        "(drop (call $has (local.get 0) (i32.const 0) (i32.const 1)))",
        "(drop (call $response (local.get 1)))",
        "(call $drop-fields (local.get 0))",
        "(call $drop-request (local.get 0)) (call $drop-request (local.get 0))",
        "(call $drop-request (local.get 0)) (call $method (local.get 0) (i32.const 1024))",
        "(local i32) (drop (call $response (local.tee 2 (call $fields)))) (drop (call $response (local.get 2)))",
        "(call $drop-out (local.get 1)) (call $set (local.get 1) (i32.const 1) (i32.const 0)
            (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
        // Text that is not UTF-8, and text outside the memory.
        "(drop (call $has (call $fields) (i32.const 0) (i32.const 2)))",
        "(drop (call $has (call $fields) (i32.const 65535) (i32.const 2)))",
        "(drop (call $has (call $fields) (i32.const -1) (i32.const -1)))",
        "(call $append (call $fields) (i32.const 0) (i32.const 1) (i32.const 65536) (i32.const 1) (i32.const 1024))",
        // Lists that are outside the memory, too long, or not aligned.
        "(call $from-list (i32.const 65528) (i32.const 1) (i32.const 1024))",
        "(call $from-list (i32.const 16) (i32.const -1) (i32.const 1024))",
        "(call $from-list (i32.const 17) (i32.const 1) (i32.const 1024))",
        "(call $poll (i32.const 16) (i32.const 0) (i32.const 1024))",
        // The handle 0 as a pollable.
        "(call $poll (i32.const 16) (i32.const 1) (i32.const 1024))",
        // A place for the result that is outside the memory, or not aligned.
        "(call $from-list (i32.const 16) (i32.const 1) (i32.const 65536))",
        "(call $from-list (i32.const 16) (i32.const 1) (i32.const 1025))",
        // Variants that do not exist.
        "(call $set (local.get 1) (i32.const 2) (i32.const 0)
            (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
        "(call $set (local.get 1) (i32.const 1) (i32.const 99)
            (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
        "unreachable",
    ] {
        assert_module_agrees(handle, ALLOCATION, "failure trap");
    }
}

#[test]
fn invalid_allocations_agree() {
    let entries = "(call $entries (call $headers (local.get 0)) (i32.const 1024))";
    for allocation in ["(i32.const 65535)", "(i32.const -1)", "(i32.const 2049)", "unreachable"] {
        assert_module_agrees(entries, allocation, "failure trap");
    }
}

#[test]
fn earlier_release_agrees() {
    let component = r#"(component
        (import "wasi:http/types@0.2.0" (instance $types
            (export "incoming-request" (type (sub resource)))
            (export "response-outparam" (type (sub resource)))))
        (alias export $types "incoming-request" (type $request))
        (alias export $types "response-outparam" (type $out))
        (core module $main (func (export "handle") (param i32 i32)))
        (core instance $main (instantiate $main))
        (func $handle (param "request" (own $request)) (param "response-out" (own $out))
            (canon lift (core func $main "handle")))
        (instance $handler (export "handle" (func $handle)))
        (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))"#;
    let pair = Pair::of_bytes(&wat::parse_str(component).unwrap());
    pair.assert_agree(&request("GET", "/", b""), "failure no_response");
}
