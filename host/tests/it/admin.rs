//! The admin port of a running server. What it responds to each path is tested in memory, beside its code.

use std::fs;
use std::process::Stdio;

use crate::support::component::{HANDLE, component};
use crate::support::metrics::Metrics;
use crate::support::{COMMIT, Process, TestServer, VERSION, eventually, free_addr, run, send, status_host, try_send};

#[test]
fn disabled_admin_port_is_closed() {
    let server = TestServer::spawn(status_host().env("ADMIN", "off"));
    assert_eq!(server.admin, None);
    assert_eq!(server.get("/status").status, 200);
}

#[test]
fn buildinfo_and_its_metric_describe_host_and_component() {
    let server = TestServer::start();
    let build = server.admin_get("/buildinfo").json();
    let value = |name: &str| build[name].as_str().unwrap();
    assert_eq!((value("app_version"), value("commit_sha")), (VERSION, COMMIT));
    assert_eq!(
        (value("component"), &build["component_sha256"]),
        ("embedded", &server.start["sha256"])
    );
    let (host, wasmtime) = (value("host_version"), value("wasmtime_version"));
    let version = String::from_utf8(run(&["--version"], &[]).stdout).unwrap();
    assert_eq!(version, format!("status-host {host} (wasmtime {wasmtime})\n"));
    let series = format!(
        "status_host_build_info{{app_version=\"{VERSION}\",commit_sha=\"{COMMIT}\",host_version=\"{host}\",\
         wasmtime_version=\"{wasmtime}\",component_sha256=\"{}\"}}",
        value("component_sha256")
    );
    assert_eq!(server.metrics().count(&series), 1);
}

#[test]
fn server_without_a_first_instance_is_not_ready() {
    let module =
        format!("(module (memory (export \"memory\") 1) (func $start (loop (br 0))) (start $start) ({HANDLE}))");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("endless.wasm");
    fs::write(&file, component(&module)).unwrap();
    let admin = free_addr();
    let mut command = status_host();
    command.args(["--listen", "127.0.0.1:0", "--admin", &admin.to_string(), "--component"]);
    let _process = Process::spawn(command.arg(&file).stderr(Stdio::null()));
    let ready = eventually("the admin port answers", || {
        try_send(admin, "GET /readyz HTTP/1.1\r\nhost: a\r\n\r\n")
    });
    ready.assert_is(503, "starting\n");
    assert_eq!(send(admin, "GET /livez HTTP/1.1\r\nhost: a\r\n\r\n").status, 200);
    let created = "status_host_instance_creation_duration_seconds_count";
    assert_eq!(Metrics::scrape(admin).count(created), 0);
}
