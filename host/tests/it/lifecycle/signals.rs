//! Signals and the drain.

use std::fs;
use std::io::{self, Read};
use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::support::component::{HANDLE, component};
use crate::support::log::messages;
use crate::support::wait::busy_processors;
use crate::support::{Process, TestServer, get_keep_alive, status_host, wait_until};

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
fn signal_during_compilation_ends_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("large.wasm");
    let step = "(local.set 0 (i32.add (i32.mul (local.get 0) (local.get 1)) (i32.load (local.get 0))))".repeat(500);
    let functions = format!("(func (param i32 i32) (result i32) {step} (local.get 0))").repeat(400);
    let module = format!("(module (memory (export \"memory\") 1) {functions} ({HANDLE}))");
    fs::write(&file, component(&module)).unwrap();
    let mut command = status_host();
    command.args(["--listen", "127.0.0.1:0", "--component"]).arg(file);
    let mut process = Process::spawn(command.stderr(Stdio::piped()));
    wait_until("the process blocks SIGTERM", || {
        let status = fs::read_to_string(format!("/proc/{}/status", process.0.id())).unwrap();
        let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:\t")).unwrap();
        u64::from_str_radix(blocked, 16).unwrap() & (1 << (Signal::SIGTERM as u64 - 1)) != 0
    });
    process.signal(Signal::SIGTERM);
    assert!(process.wait().success());
    // It never served.
    assert_eq!(io::read_to_string(process.0.stderr.take().unwrap()).unwrap(), "");
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
