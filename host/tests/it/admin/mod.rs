//! The admin port.

mod drain;
mod endpoints;
mod liveness;
mod saturation;

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;

use crate::support::component::{HANDLE, component};
use crate::support::{
    Process, Response, TestServer, assert_refused, eventually, free_addr, run, send, status_host, try_send,
};

fn get(address: SocketAddr, path: &str) -> Response {
    send(address, format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"))
}

#[test]
fn admin_can_be_disabled() {
    let server = TestServer::spawn(status_host().env("ADMIN", "off"));
    assert_eq!(server.admin, None);
    assert_eq!(server.get("/status").status, 200);
}

#[test]
fn admin_port_in_use_is_refused() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let output = run(&["--listen", "127.0.0.1:0", "--admin", &address], &[]);
    let message = format!("cannot listen on `{address}`");
    assert_refused(&output, 1, &[&message, "set --admin to another port"]);
}

#[test]
fn server_is_not_ready_before_the_first_instance() {
    // The first instance never starts.
    let module =
        format!("(module (memory (export \"memory\") 1) (func $start (loop (br 0))) (start $start) ({HANDLE}))");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("slow.wasm");
    fs::write(&file, component(&module)).unwrap();
    let admin = free_addr();
    let mut command = status_host();
    command.args(["--listen", "127.0.0.1:0", "--admin", &admin.to_string(), "--component"]);
    let _process = Process::spawn(command.arg(&file).stderr(Stdio::null()));
    let ready = eventually("the admin port answers", || {
        try_send(admin, "GET /readyz HTTP/1.1\r\nhost: a\r\n\r\n")
    });
    ready.assert_is(503, "starting\n");
    assert_eq!(get(admin, "/livez").status, 200);
    let metrics = get(admin, "/metrics");
    let created = "\nstatus_host_instance_creation_duration_seconds_count 0\n";
    assert!(metrics.text().contains(created), "{}", metrics.text());
}
