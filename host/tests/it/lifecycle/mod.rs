//! From the start to the exit code.

mod descriptors;
mod log_sink;
mod signals;

use std::fs;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::support::{COMMIT, TestServer, VERSION, eventually, run, status_host};

#[test]
fn start_is_logged_with_address_and_component() {
    let server = TestServer::start();
    let report: Value = serde_json::from_slice(&run(&["inspect", "--json"], &[]).stdout).unwrap();
    assert_eq!(server.start["component"], "embedded");
    assert_eq!(server.start["sha256"], report["sha256"]);
    assert_eq!(server.start["app_version"], VERSION);
    assert_eq!(server.start["commit_sha"], COMMIT);
    assert_ne!(server.address.port(), 0);
}

#[test]
fn variables_of_tokio_are_ignored() {
    let server = TestServer::spawn(status_host().env("TOKIO_WORKER_THREADS", "x"));
    assert_eq!(server.get("/status").status, 200);
}

/// How often the threads of the server have waited so far, each of which is followed by a wake-up.
fn waits(server: &TestServer) -> u64 {
    let threads = fs::read_dir(format!("/proc/{}/task", server.id())).unwrap();
    let waits = threads.map(|thread| {
        let status = fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        let waits = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        waits.unwrap().trim().parse::<u64>().unwrap()
    });
    waits.sum()
}

#[test]
fn idle_server_wakes_up_at_most_twice_a_second() {
    const SECONDS: u64 = 5;
    let server = TestServer::start();
    for _ in 0..2 {
        assert_eq!(server.get("/status").status, 200);
        eventually("the server sleeps", || {
            let before = waits(&server);
            thread::sleep(Duration::from_secs(SECONDS));
            (waits(&server) - before <= 2 * SECONDS).then_some(())
        });
    }
}
