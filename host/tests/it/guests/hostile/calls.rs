//! Host calls in a row: the deadline holds, and others are served.

use std::io::Write;

use super::{serve, straight_calls};
use crate::support::component::HANDLE;
use crate::support::wait::busy_processors;

/// A handler that sends an empty response if the path is `/`, and does `otherwise` for any other.
fn handler(otherwise: &str) -> String {
    format!(
        "({HANDLE}
            (call $path (local.get 0) (i32.const 1024))
            (if (i32.eq (i32.load (i32.const 1032)) (i32.const 1))
                (then (call $respond (local.get 1) (call $response (call $fields))))
                (else (call $fill) {otherwise})))"
    )
}

#[test]
fn straight_host_calls_reach_the_request_timeout() {
    let _busy = busy_processors();
    let server = serve(&handler(&straight_calls()), "--request-timeout 200ms");
    // A guest that does not notice the deadline returns without a response, which is another status.
    server.get("/calls").assert_problem(504);
    assert_eq!(
        server
            .metrics()
            .count("status_host_guest_failures_total{kind=\"timeout\"}"),
        1
    );
}

#[test]
fn straight_host_calls_yield_to_others() {
    /// More than the server has threads.
    const GUESTS: u64 = 32;
    let _busy = busy_processors();
    let server = serve(&handler(&format!("(loop {} (br 0))", straight_calls())), "");
    let begin = || {
        let mut stream = server.connect();
        stream.write_all(b"GET /calls HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        stream
    };
    let calling: Vec<_> = (0..GUESTS).map(|_| begin()).collect();
    server.wait_for_metric("status_host_instances_in_use", GUESTS);
    server.get("/").assert_is(200, "");
    assert_eq!(server.metrics().count("status_host_instances_in_use"), GUESTS);
    server.stop_now();
    drop(calling);
}
