//! Readiness while the server drains.

use nix::sys::signal::Signal;

use super::get;
use crate::support::log::messages;
use crate::support::{TestServer, eventually, get_keep_alive, read_to_close};

/// Waits until the server reports that it drains.
#[track_caller]
fn wait_until_draining(server: &TestServer) {
    let response = eventually("the server is not ready", || {
        Some(server.admin_get("/readyz")).filter(|response| response.status == 503)
    });
    assert_eq!(response.text(), "draining\n");
}

#[test]
fn drain_delay_accepts_requests_and_closes_their_connections() {
    let server = TestServer::with_options("--drain-delay 1h");
    let mut open = server.connect();
    assert!(!get_keep_alive(&mut open, "/status").has_header("connection"));
    server.signal(Signal::SIGTERM);
    wait_until_draining(&server);
    assert_eq!(get(server.admin.unwrap(), "/livez").status, 200);
    // The load balancer still sends requests, on open connections and on new ones.
    for mut stream in [open, server.connect()] {
        let response = get_keep_alive(&mut stream, "/status");
        assert_eq!((response.status, response.header("connection")), (200, "close"));
        assert_eq!(read_to_close(&mut stream), b"");
    }
    server.signal(Signal::SIGINT);
    let log = server.wait_for_success();
    assert_eq!(
        messages(&log),
        ["withdrawing readiness", "second signal; closing remaining connections"]
    );
}

#[test]
fn drain_begins_after_the_delay() {
    let server = TestServer::with_options("--drain-delay 100ms");
    let log = server.stop();
    assert_eq!(messages(&log), ["withdrawing readiness", "draining", "drained"]);
}

#[test]
fn server_is_not_ready_until_the_drain_ends() {
    let server = TestServer::probe("");
    let request = server.incomplete_request();
    server.signal(Signal::SIGTERM);
    server.wait_until_closed();
    wait_until_draining(&server);
    assert_eq!(request.complete().status, 200);
    server.wait_for_success();
}
