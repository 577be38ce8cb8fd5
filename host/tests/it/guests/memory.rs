//! The memory that the host holds for a guest is bounded.

use std::fmt::Write;

use super::heap::peak_of;
use super::{LIMITS, get, hostile, runtime, sandbox_of};
use crate::support::component::HANDLE;

/// The promise: what one request allocates, in bytes. The linear memory and the stack of the guest are not on the heap.
const MAX_GROWTH: isize = 16 * 1024 * 1024;

/// The address of the list that the guests pass to `fields.from-list`.
const LIST: usize = 64 * 1024;

/// The data of a list of `count` fields with different names, which have `bytes` bytes with their values.
fn list(count: usize, bytes: usize) -> String {
    let strings = LIST + 16 * count;
    let (mut entries, mut contents) = (String::new(), String::new());
    for number in 0..count {
        let name = format!("name-{number:03}-");
        let (name_at, value_at) = (strings + number * bytes, strings + number * bytes + name.len());
        for word in [name_at, name.len(), value_at, bytes - name.len()] {
            for byte in u32::try_from(word).unwrap().to_le_bytes() {
                write!(entries, "\\{byte:02x}").unwrap();
            }
        }
        write!(contents, "{name}{}", "v".repeat(bytes - name.len())).unwrap();
    }
    format!(r#"(data (i32.const {LIST}) "{entries}{contents}")"#)
}

/// A loop of `count` rounds.
fn repeat(count: usize, body: &str) -> String {
    format!(
        "(loop {body} (local.set $round (i32.add (local.get $round) (i32.const 1)))
            (br_if 0 (i32.lt_u (local.get $round) (i32.const {count}))))"
    )
}

/// Makes a list of `count` fields.
fn make(count: usize) -> String {
    format!("(call $from-list (i32.const {LIST}) (i32.const {count}) (i32.const 1024))")
}

/// Runs a guest. Returns what the request allocated at most, and how it ended.
#[track_caller]
fn run(data: &str, work: &str) -> (isize, String) {
    let locals = "(local $round i32) (local $body i32) (local $stream i32)";
    let sandbox = sandbox_of(&hostile(&format!("{data} ({HANDLE} {locals} {work})")), LIMITS);
    let runtime = runtime();
    let mut outcome = String::new();
    let growth = peak_of(|| outcome = runtime.block_on(get(&sandbox, "/")).unwrap_err().to_string());
    println!("{growth} bytes: {outcome}");
    (growth, outcome)
}

#[test]
fn lists_that_are_emptied_are_bounded() {
    // A map keeps its capacity when its fields are removed.
    for fields in [504, 100] {
        let delete = |number| {
            let name = LIST + 16 * fields + number * 64;
            format!("(call $delete (i32.load (i32.const 1028)) (i32.const {name}) (i32.const 9) (i32.const 1040))")
        };
        let empty: String = (0..fields).map(delete).collect();
        let work = repeat(990, &format!("{}{empty}", make(fields)));
        let (growth, outcome) = run(&list(fields, 64), &work);
        assert!(growth < MAX_GROWTH, "{growth}");
        assert!(outcome.contains("exceeded a limit"), "{outcome}");
    }
}

#[test]
fn lists_at_their_limit_are_bounded() {
    // As many as there are resources beside the request and its response.
    let (growth, outcome) = run(&list(100, 163), &repeat(98, &make(100)));
    assert!((3 * 1024 * 1024..MAX_GROWTH).contains(&growth), "{growth}");
    assert!(outcome.contains("without a response"), "{outcome}");
}

#[test]
fn bodies_at_their_limit_are_bounded() {
    let write = "(call $write-bytes (local.get $stream) (i32.const 0) (i32.const 65536) (i32.const 1024))";
    // Longer than half of a mebibyte, so that the vector of a body doubles to a whole one.
    let open = "
        (call $body (call $response (call $fields)) (i32.const 1024))
        (local.set $body (i32.load (i32.const 1028)))
        (call $write (local.get $body) (i32.const 1024))
        (local.set $stream (i32.load (i32.const 1028)))";
    let (growth, outcome) = run("", &format!("{open} {}", write.repeat(16)));
    assert!((1024 * 1024..4 * 1024 * 1024).contains(&growth), "{growth}");
    assert!(outcome.contains("without a response"), "{outcome}");
    let (growth, outcome) = run("", &repeat(32, &format!("{open} {write}")));
    assert!(growth < 4 * 1024 * 1024, "{growth}");
    assert!(outcome.contains("more than 1048576 bytes"), "{outcome}");
}

#[test]
fn handles_of_a_component_are_bounded() {
    let component = r#"(component
        (import "wasi:http/types@0.2.12" (instance $types
            (export "incoming-request" (type (sub resource)))
            (export "response-outparam" (type (sub resource)))))
        (alias export $types "incoming-request" (type $request))
        (alias export $types "response-outparam" (type $out))
        (type $own (resource (rep i32)))
        (core func $new (canon resource.new $own))
        (core module $main
            (import "a" "new" (func $new (param i32) (result i32)))
            (func (export "handle") (param i32 i32) (loop (drop (call $new (i32.const 0))) (br 0))))
        (core instance $main (instantiate $main (with "a" (instance (export "new" (func $new))))))
        (func $handle (param "request" (own $request)) (param "response-out" (own $out))
            (canon lift (core func $main "handle")))
        (instance $handler (export "handle" (func $handle)))
        (export "wasi:http/incoming-handler@0.2.12" (instance $handler)))"#;
    let sandbox = sandbox_of(&wat::parse_str(component).unwrap(), LIMITS);
    let growth = peak_of(|| {
        let outcome = runtime().block_on(get(&sandbox, "/")).unwrap_err().to_string();
        assert!(outcome.contains("store handle limit exceeded"), "{outcome}");
    });
    assert!(growth < 1024 * 1024, "{growth}");
}
