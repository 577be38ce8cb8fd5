//! The host memory of a guest is bounded.

use super::serve;
use crate::support::TestServer;
use crate::support::component::HANDLE;

/// Growth of the peak of resident memory that these tests permit, in bytes: a multiple of the default of --max-memory,
/// and a fraction of what the guests ask for.
const MAX_GROWTH: u64 = 64 * 1024 * 1024;

/// Checks that the requests of `client` do not raise the peak of resident memory by more than the limit.
#[track_caller]
fn assert_memory_is_bounded(server: &TestServer, client: impl FnOnce()) {
    let before = server.peak_resident_bytes();
    client();
    let growth = server.peak_resident_bytes() - before;
    println!("resident memory grew by {growth} bytes");
    assert!(growth < MAX_GROWTH, "{growth}");
}

#[test]
fn many_large_lists_of_headers_are_a_host_memory_failure() {
    let lists = "(local i32) (call $fill)
        (loop
            (call $make)
            (local.set 2 (i32.add (local.get 2) (i32.const 1)))
            (br_if 0 (i32.lt_u (local.get 2) (i32.const 990))))
        (call $respond (local.get 1) (call $response (call $fields)))";
    let server = serve(&format!("({HANDLE} {lists})"), "");
    assert_memory_is_bounded(&server, || server.get("/").assert_problem(500));
    let series = "status_host_guest_failures_total{kind=\"host_memory\"}";
    assert_eq!(server.metrics().count(series), 1);
    let log = server.stop();
    let error = log[0]["error"].as_str().unwrap();
    assert!(error.contains("more than 8388608 (--max-memory)"), "{error}");
}

#[test]
fn body_written_by_byte_is_served() {
    // Unbounded by the number of writes, by their overhead in memory, and by the absence of a reader.
    let handle = "(local $response i32) (local $body i32) (local $stream i32) (local $count i32)
        (local.set $response (call $response (call $fields)))
        (call $body (local.get $response) (i32.const 1024))
        (local.set $body (i32.load (i32.const 1028)))
        (call $write (local.get $body) (i32.const 1024))
        (local.set $stream (i32.load (i32.const 1028)))
        (loop
            (call $write-bytes (local.get $stream) (i32.const 0) (i32.const 1) (i32.const 1024))
            (local.set $count (i32.add (local.get $count) (i32.const 1)))
            (br_if 0 (i32.lt_u (local.get $count) (i32.const 200000))))
        (call $drop-stream (local.get $stream))
        (call $finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 1024))
        (call $respond (local.get 1) (local.get $response))";
    let server = serve(&format!("({HANDLE} {handle})"), "");
    assert_memory_is_bounded(&server, || {
        let response = server.get("/");
        assert_eq!((response.status, response.body.len()), (200, 200_000));
        assert!(response.body.iter().all(|byte| *byte == b'a'));
    });
}
