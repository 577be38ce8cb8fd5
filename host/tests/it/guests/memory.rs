//! The memory that the host holds for a guest is bounded.

use std::fmt::Write;

use super::heap::peak_of;
use super::{LIMITS, OPEN_STREAM, get, handler, hostile, runtime, sandbox_of};
use crate::support::component::HANDLE;

/// The promise: what one request allocates, in bytes. The linear memory and the stack of the guest are not on the heap.
const MAX_GROWTH: isize = 16 * 1024 * 1024;

/// Fields of one list, at most.
const MAX_FIELDS: usize = 100;

/// The address of the list that the guests pass to `fields.from-list`.
const LIST: usize = 64 * 1024;

/// The data of a list of fields with different names, which have `bytes` bytes with their values.
fn list(bytes: usize) -> String {
    let strings = LIST + 16 * MAX_FIELDS;
    let (mut entries, mut contents) = (String::new(), String::new());
    for number in 0..MAX_FIELDS {
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

/// Runs a guest. Returns what the request allocated at most, and how it ended.
#[track_caller]
fn run(data: &str, work: &str) -> (isize, String) {
    let locals = "(local $round i32) (local $body i32) (local $stream i32)";
    let sandbox = sandbox_of(&hostile(&format!("{data} ({HANDLE} {locals} {work})")), LIMITS);
    let runtime = runtime();
    let mut outcome = String::new();
    let growth = peak_of(|| outcome = runtime.block_on(get(&sandbox, "/")).unwrap_err().to_string());
    (growth, outcome)
}

#[test]
fn lists_at_their_limit_and_lists_that_are_emptied_are_bounded() {
    let make = format!("(call $from-list (i32.const {LIST}) (i32.const {MAX_FIELDS}) (i32.const 1024))");
    // As many as there are resources beside the request and its response.
    let fill = repeat(98, &make);
    // A map keeps its capacity when its fields are removed.
    let delete = |number| {
        let name = LIST + 16 * MAX_FIELDS + number * 64;
        format!("(call $delete (i32.load (i32.const 1028)) (i32.const {name}) (i32.const 9) (i32.const 1040))")
    };
    let delete_all: String = (0..MAX_FIELDS).map(delete).collect();
    let empty = repeat(990, &format!("{make}{delete_all}"));
    for (bytes, work, reason) in [(163, fill, "without a response"), (64, empty, "exceeded a limit")] {
        let (growth, outcome) = run(&list(bytes), &work);
        assert!((2 * 1024 * 1024..MAX_GROWTH).contains(&growth), "{growth}");
        assert!(outcome.contains(reason), "{outcome}");
    }
}

#[test]
fn bodies_at_their_limit_are_bounded() {
    let write = "(call $write-bytes (local.get $stream) (i32.const 0) (i32.const 65536) (i32.const 1024))";
    // Longer than half of a mebibyte, so that the vector of a body doubles to a whole one.
    let (growth, outcome) = run("", &format!("{OPEN_STREAM} {}", write.repeat(16)));
    assert!((1024 * 1024..4 * 1024 * 1024).contains(&growth), "{growth}");
    assert!(outcome.contains("without a response"), "{outcome}");
    let (growth, outcome) = run("", &repeat(32, &format!("{OPEN_STREAM} {write}")));
    assert!(growth < 4 * 1024 * 1024, "{growth}");
    assert!(outcome.contains("more than 1048576 bytes"), "{outcome}");
}

#[test]
fn handles_of_a_component_are_bounded() {
    let definitions = r#"
        (type $own (resource (rep i32)))
        (core func $new (canon resource.new $own))
        (core module $main
            (import "a" "new" (func $new (param i32) (result i32)))
            (func (export "handle") (param i32 i32) (loop (drop (call $new (i32.const 0))) (br 0))))
        (core instance $main (instantiate $main (with "a" (instance (export "new" (func $new))))))"#;
    let sandbox = sandbox_of(&wat::parse_str(handler(definitions)).unwrap(), LIMITS);
    let growth = peak_of(|| {
        let outcome = runtime().block_on(get(&sandbox, "/")).unwrap_err().to_string();
        assert!(outcome.contains("store handle limit exceeded"), "{outcome}");
    });
    assert!(growth < 1024 * 1024, "{growth}");
}
