//! Limits of instances.

use std::fs;

use crate::support::component::{HANDLE, component};
use crate::support::wait::busy_processors;
use crate::support::{TestServer, assert_refused, run};

#[test]
fn request_over_the_concurrency_limit_gets_503() {
    let _busy = busy_processors();
    let server = TestServer::probe("--max-concurrency 2");
    let spinning = server.occupy_instances(2);
    let response = server.get("/count");
    response.assert_problem(503);
    assert_eq!(response.header("retry-after"), "1");
    let log = server.stop_now();
    assert_eq!(log[0]["severity"], "WARNING", "{log:?}");
    let error = log[0]["error"].as_str().unwrap();
    assert!(error.starts_with("no instance is available"), "{error}");
    drop(spinning);
}

#[test]
fn computing_guests_yield_to_others() {
    let _busy = busy_processors();
    // More of them than the server has threads.
    let server = TestServer::probe("");
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
    let server = TestServer::with_options(&format!("--component {}", file.display()));
    server.get("/").assert_problem(500);
    let log = server.stop();
    let error = log[0]["error"].as_str().unwrap();
    assert!(error.contains("a table would grow to 10001 elements"), "{error}");
}

#[test]
fn component_that_cannot_be_instantiated_is_refused() {
    let memory = "its memory would grow to 4259840 bytes, more than 4194304 (--max-memory)";
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("start.wasm");
    for (module, options, reason) in [
        ("65)", ["--max-memory", "4MiB"], memory),
        (
            "1) (table 10001 funcref)",
            ["--max-memory", "4MiB"],
            "a table would grow to 10001 elements",
        ),
        (
            "1) (func $start (loop (br 0))) (start $start)",
            ["--request-timeout", "200ms"],
            "did not end within 200 ms",
        ),
        (
            "1) (func $start unreachable) (start $start)",
            ["--max-memory", "4MiB"],
            "wasm `unreachable` instruction executed",
        ),
    ] {
        let module = format!("(module (memory (export \"memory\") {module} ({HANDLE}))");
        fs::write(&file, component(&module)).unwrap();
        let arguments = ["--listen", "127.0.0.1:0", "--component", file.to_str().unwrap()];
        let output = run(&[&arguments[..], &options].concat(), &[]);
        assert_refused(&output, 2, &["cannot instantiate the component", "start.wasm", reason]);
    }
}
