//! Limits of instances.

use std::fs;

use crate::support::TestServer;
use crate::support::component::{HANDLE, component};
use crate::support::wait::busy_processors;

#[test]
fn request_over_the_concurrency_limit_gets_503() {
    let _busy = busy_processors();
    let server = TestServer::probe(&["--max-concurrency", "2"]);
    let spinning = server.occupy_instances(2);
    let response = server.get("/count");
    response.assert_problem(503);
    assert_eq!(response.header("retry-after"), "1");
    let log = server.stop_now();
    assert_eq!(log[0]["severity"], "WARNING", "{log:?}");
    let error = log[0]["failure"].as_str().unwrap();
    assert!(error.starts_with("no instance is free"), "{error}");
    drop(spinning);
}

#[test]
fn computing_guests_yield_to_others() {
    let _busy = busy_processors();
    // More of them than the server has threads.
    let server = TestServer::probe(&[]);
    let spinning = server.occupy_instances(32);
    server.get("/count").assert_is(200, "1");
    assert_eq!(server.metrics().count("status_host_instances_in_use"), 32);
    server.stop_now();
    drop(spinning);
}

#[test]
fn table_that_grows_over_the_limit_gets_500() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("table.wasm");
    let module = format!(
        "(module
            (memory (export \"memory\") 1)
            (table 1 funcref)
            ({HANDLE} (loop (br_if 0 (i32.ge_s (table.grow (ref.null func) (i32.const 100)) (i32.const 0))))))"
    );
    fs::write(&file, component(&module)).unwrap();
    let server = TestServer::with_options(&["--component", file.to_str().unwrap()]);
    server.get("/").assert_problem(500);
    let log = server.stop();
    let error = log[0]["failure"].as_str().unwrap();
    assert!(error.contains("a table would grow to 10001 elements"), "{error}");
}
