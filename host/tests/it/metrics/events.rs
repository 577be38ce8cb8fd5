//! Log events that could not be written.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;

use crate::support::log::LogLines;
use crate::support::metrics::Metrics;
use crate::support::{Process, TestServer, connect, free_addr, get_keep_alive, wait_until, with_inherited_socket};

/// A server that logs each request to `log`, its admin port, and a connection.
#[track_caller]
fn serve(log: impl Into<Stdio>) -> (Process, SocketAddr, TcpStream) {
    let (admin, listener) = (free_addr(), TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.local_addr().unwrap();
    let mut command = with_inherited_socket(listener, "--access-log 1");
    let process = Process::spawn(command.env("ADMIN", admin.to_string()).stderr(log));
    (process, admin, connect(address))
}

#[track_caller]
fn dropped_events(admin: SocketAddr) -> u64 {
    Metrics::scrape(admin).count("status_host_log_events_dropped_total")
}

#[test]
fn unwritable_log_events_are_counted() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let (_process, admin, mut stream) = serve(full);
    for _ in 0..10 {
        get_keep_alive(&mut stream, "/status");
    }
    // The start logs three more.
    wait_until("all events are dropped", || dropped_events(admin) == 13);
}

#[test]
fn errors_over_the_rate_limit_are_counted() {
    const REQUESTS: u64 = 300;
    let server = TestServer::probe("");
    let mut stream = server.connect();
    for _ in 0..REQUESTS {
        get_keep_alive(&mut stream, "/trap").assert_problem(500);
    }
    let suppressed = server.metrics().count("status_host_log_events_suppressed_total");
    let log = server.stop();
    let logged = log.iter().filter(|line| line["message"] == "component failed").count();
    assert_eq!(logged as u64 + suppressed, REQUESTS);
}

#[test]
fn log_events_over_the_queue_are_counted() {
    // More than the pipe and the queue hold.
    const REQUESTS: u64 = 5_000;
    let (unread, log) = io::pipe().unwrap();
    let (_process, admin, mut stream) = serve(log);
    for _ in 0..REQUESTS {
        get_keep_alive(&mut stream, "/status");
    }
    let dropped = dropped_events(admin);
    assert!(dropped > 0 && dropped < REQUESTS, "{dropped} of {REQUESTS}");
    // The others are written once somebody reads.
    let mut log = LogLines::new(unread);
    let mut written = 0;
    while written < REQUESTS - dropped {
        let line = log.next_line().unwrap();
        written += u64::from(line["message"] == "request");
    }
}
