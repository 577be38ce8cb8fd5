//! The embedded component, and components that no compiler produces.

use status_host::sandbox::{self, Sandbox};

use super::pair::{Pair, request};
use crate::guests::{LIMITS, MAIN, OPEN_STREAM, environment, handler, hostile};
use crate::support::component::{HANDLE, portable_component};

#[test]
fn embedded_component_agrees() {
    let portable = std::fs::read(portable_component()).unwrap();
    let embedded = sandbox::load(&sandbox::engine(LIMITS.running).unwrap(), None).unwrap();
    let pair = Pair::new(Sandbox::new(&embedded, environment(), LIMITS).unwrap(), &portable);
    for (method, target, fragment) in [
        ("GET", "/status", r#""version":"1.2.3","lastcommitsha":"0123abcd""#),
        ("HEAD", "/status", "content-length: "),
        ("GET", "/status?a=b", "200\n"),
        ("BREW", "/status", "405\n"),
        ("HEAD", "/", "404\n"),
        ("OPTIONS", "*", "404\n"),
        ("CONNECT", "example.org:80", "404\n"),
        ("GET", "http://example.org/status", "200\n"),
    ] {
        pair.assert_agree(&request(method, target, b""), fragment);
    }
    pair.assert_agree(&request("POST", "/status", &[b'x'; 10_000]), "405\n");
}

/// Text and lists that the host reads from the memory of the guest: invalid, or outside of it.
#[test]
fn invalid_memory_traps() {
    let write = "(call $write-bytes (local.get $stream) (i32.const -1) (i32.const 2) (i32.const 1024))";
    let write = format!("{OPEN_STREAM} {write}");
    for work in [
        "(call $delete (call $fields) (i32.const 0) (i32.const 2) (i32.const 1024))",
        "(call $delete (call $fields) (i32.const -1) (i32.const 2) (i32.const 1024))",
        "(call $from-list (i32.const 16) (i32.const 1) (i32.const 1024))",
        &write,
    ] {
        // A name that is not UTF-8, and a list of one field whose value is outside of the memory.
        let data = r#"(data (i32.const 0) "a\ff")
            (data (i32.const 16) "\00\00\00\00\01\00\00\00\ff\ff\ff\ff\02\00\00\00")"#;
        let locals = "(local $body i32) (local $stream i32)";
        let pair = Pair::of_bytes(&hostile(&format!("{data} ({HANDLE} {locals} {work})")));
        pair.assert_agree(&request("GET", "/", b""), "failure trap");
    }
}

#[test]
fn earlier_release_agrees() {
    let component = handler(MAIN).replace("@0.2.12", "@0.2.0");
    let pair = Pair::of_bytes(&wat::parse_str(component).unwrap());
    pair.assert_agree(&request("GET", "/", b""), "failure no_response");
}
