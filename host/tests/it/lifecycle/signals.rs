//! Signals and the drain.

use std::io::Read;

use nix::sys::signal::Signal;

use crate::support::log::messages;
use crate::support::wait::busy_processors;
use crate::support::{TestServer, get_keep_alive};

#[test]
fn signal_drains_the_server() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let server = TestServer::start();
        server.signal(signal);
        let log = server.wait_for_success();
        assert_eq!(messages(&log), ["draining", "drained"]);
        assert_eq!(log[0]["signal"], signal.as_str());
    }
}

#[test]
fn idle_connection_does_not_delay_the_drain() {
    let server = TestServer::start();
    let mut idle = server.connect();
    get_keep_alive(&mut idle, "/status");
    let log = server.stop();
    assert_eq!(log[0]["connections"], 1);
    assert_eq!(idle.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn request_in_flight_is_answered_before_the_drain_ends() {
    let server = TestServer::probe("");
    let request = server.incomplete_request();
    server.signal(Signal::SIGTERM);
    server.wait_until_closed();
    let response = request.complete();
    response.assert_is(200, "!");
    assert_eq!(response.header("connection"), "close");
    let log = server.wait_for_success();
    assert_eq!(messages(&log), ["draining", "drained"]);
}

#[test]
fn drain_ends_after_the_drain_timeout() {
    let server = TestServer::probe("--drain-timeout 100ms");
    let request = server.incomplete_request();
    let log = server.stop();
    assert_eq!(
        messages(&log),
        ["draining", "drain timed out; closing remaining connections"]
    );
    drop(request);
}

#[test]
fn second_signal_closes_all_connections() {
    let _busy = busy_processors();
    let server = TestServer::probe("");
    let request = server.incomplete_request();
    let spinning = server.occupy_instances(1);
    server.stop_now();
    drop((request, spinning));
}
