//! From the start to the exit code.

mod descriptors;
mod log_sink;
mod signals;

use serde_json::Value;

use crate::support::{COMMIT, TestServer, VERSION, run, status_host};

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
