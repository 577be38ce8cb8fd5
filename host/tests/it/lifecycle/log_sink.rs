//! A standard error that does not accept the log.

use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::support::{Process, connect, get_keep_alive, with_inherited_socket};

/// Serves requests, with a log line each, with `log` as standard error; then drains.
#[track_caller]
fn serve_and_drain(log: Stdio, requests: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut process = Process::spawn(with_inherited_socket(listener, "--access-log 1").stderr(log));
    // The kernel holds the connection until the server accepts it.
    let mut stream = connect(address);
    for _ in 0..requests {
        assert_eq!(get_keep_alive(&mut stream, "/status").status, 200);
    }
    process.signal(Signal::SIGTERM);
    assert_eq!(process.wait().code(), Some(0));
}

#[test]
fn full_disk_does_not_stop_the_server() {
    serve_and_drain(File::options().write(true).open("/dev/full").unwrap().into(), 10);
}

#[test]
fn log_that_nobody_reads_does_not_stop_the_server() {
    let (unread, log) = io::pipe().unwrap();
    // More lines than the pipe and the queue of the log hold.
    serve_and_drain(log.into(), 5000);
    drop(unread);
}

#[test]
fn closed_standard_error_does_not_stop_the_server() {
    let (read, log) = io::pipe().unwrap();
    drop(read);
    serve_and_drain(log.into(), 10);
}
