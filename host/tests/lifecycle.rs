//! From the first line of the log to the exit code.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::time::Duration;

use nix::pty::openpty;
use nix::sys::signal::Signal;
use serde_json::Value;
use support::{COMMIT, Process, Service, VERSION};

fn message(line: &Value) -> &str {
    line["message"].as_str().unwrap()
}

#[test]
fn one_line_tells_what_is_served_and_where() {
    let service = Service::start();
    let report = support::run(&["inspect", "--json"], &[]);
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(message(&service.start), "serving /status");
    assert_eq!(service.start["component"], "embedded");
    assert_eq!(service.start["sha256"], report["sha256"]);
    assert_eq!(
        (&service.start["app_version"], &service.start["commit_sha"]),
        (&VERSION.into(), &COMMIT.into())
    );
    assert_ne!(service.address.port(), 0);
    service.finish();
}

#[test]
fn a_signal_ends_it_well() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let service = Service::start();
        service.signal(signal);
        let (status, log) = service.wait();
        assert_eq!(status.code(), Some(0));
        assert_eq!(log.iter().map(message).collect::<Vec<_>>(), ["draining", "drained"]);
        assert_eq!(log[0]["signal"], signal.as_str());
    }
}

#[test]
fn an_idle_connection_does_not_hold_the_end() {
    let service = Service::start();
    let mut idle = service.connect();
    idle.write_all(b"GET /status HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    assert_ne!(idle.read(&mut [0; 1024]).unwrap(), 0);
    let log = service.finish();
    assert_eq!(log[0]["connections"], 1);
    assert_eq!(idle.read(&mut [0; 1]).unwrap(), 0, "closed");
}

/// Starts a request that the guest is at work on when this returns: it has asked for the body.
fn in_flight(service: &Service) -> TcpStream {
    let mut stream = service.connect();
    let head = b"POST /wait-for-body HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\n";
    stream.write_all(head).unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

/// Waits until no new connection is accepted.
fn closed(service: &Service) {
    for _ in 0..100 {
        if TcpStream::connect(service.address).is_err() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("it still listens");
}

#[test]
fn a_request_in_flight_is_answered() {
    let service = Service::start_probe(&[]);
    let mut stream = in_flight(&service);
    service.signal(Signal::SIGTERM);
    closed(&service);
    stream.write_all(b"!").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with('!'),
        "{answer}"
    );
    assert!(answer.contains("connection: close"), "{answer}");
    let (status, log) = service.wait();
    assert_eq!((status.code(), message(&log[1])), (Some(0), "drained"));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let service = Service::start_probe(&[]);
    let waiting = in_flight(&service);
    let mut computing = service.connect();
    computing.write_all(b"GET /spin HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    service.signal(Signal::SIGTERM);
    closed(&service);
    service.signal(Signal::SIGINT);
    let (status, log) = service.wait();
    assert_eq!(status.code(), Some(0));
    assert!(message(&log[1]).starts_with("a second signal"), "{log:?}");
    drop(waiting);
}

#[test]
fn an_error_that_cannot_be_told_keeps_its_exit_code() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let refused = support::status_host().arg("--nonsense").stderr(full).status().unwrap();
    assert_eq!(refused.code(), Some(2));
}

#[test]
fn a_client_that_has_said_all_is_answered() {
    let service = Service::start();
    let mut stream = service.connect();
    stream.write_all(b"GET /status HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    service.finish();
}

/// Takes all files that `service` may have open, through its admin port: the service itself keeps within them.
fn take_all_files(service: &Service) -> Vec<TcpStream> {
    let crowd = (0..30).map(|_| support::connect(service.admin.unwrap())).collect();
    std::thread::sleep(Duration::from_millis(300));
    crowd
}

#[test]
fn a_lack_of_file_descriptors_passes() {
    let service = Service::start_with(support::with_files(24));
    let crowd = take_all_files(&service);
    let waiting = service.connect();
    std::thread::sleep(Duration::from_millis(300));
    drop((crowd, waiting));
    // There is room for one, once it is seen that the one before has gone.
    service.metrics_until(|metrics| metrics.count("status_host_connections_open") == 0);
    assert_eq!(service.get("/status").status, 200);
    let log = service.finish();
    assert!(
        log.iter().any(|line| message(line) == "cannot accept a connection"),
        "{log:?}"
    );
}

#[test]
fn a_lack_of_file_descriptors_does_not_hold_the_end() {
    let service = Service::start_with(support::with_files(24));
    let crowd = take_all_files(&service);
    let waiting: Vec<_> = (0..3).map(|_| service.connect()).collect();
    let log = service.finish();
    let told = log.iter().map(message).collect::<Vec<_>>();
    assert!(told.contains(&"cannot take the connections that wait"), "{told:?}");
    drop((crowd, waiting));
}

#[test]
fn fewer_files_than_connections_are_told_of() {
    let service = Service::start_with(support::with_files(100));
    let warning = service.before.last().unwrap();
    assert!(message(warning).starts_with("fewer files can be open"), "{warning}");
    assert_eq!(warning["files"], 100);
    assert!(warning["connections"].as_u64().unwrap() < 100, "{warning}");
    service.finish();
}

#[test]
fn what_is_no_http_ends_its_own_connection_only() {
    let service = Service::start();
    assert_eq!(service.send("nonsense\r\n\r\n").status, 400);
    assert_eq!(service.get("/status").status, 200);
    service.finish();
}

#[test]
fn on_a_terminal_the_log_is_text() {
    let terminal = openpty(None, None).unwrap();
    let mut command = support::status_host();
    command.env("LISTEN", "127.0.0.1:0").stderr(terminal.slave);
    let mut process = Process(command.spawn().unwrap());
    drop(command);
    let lines = BufReader::new(fs::File::from(terminal.master)).lines();
    let lines: Vec<_> = lines.take(2).map(Result::unwrap).collect();
    assert!(lines[1].contains("serving /status"), "{lines:?}");
    assert!(lines.iter().all(|line| !line.starts_with('{')), "{lines:?}");
    process.signal(Signal::SIGTERM);
    assert!(process.0.wait().unwrap().success());
}

/// Serves `failures`, a line of the log each, with `log` as standard error until a signal comes, which has to end it
/// well.
fn fails_into(log: Stdio, failures: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let arguments = format!("--component {}", probe_artifact::PATH);
    let mut command = support::handed_over(OwnedFd::from(listener.try_clone().unwrap()), &arguments);
    let mut process = Process(command.stderr(log).spawn().unwrap());
    // The kernel holds the connection until it is accepted.
    let mut stream = support::connect(listener.local_addr().unwrap());
    for _ in 0..failures {
        assert!(support::get_on(&mut stream, "/trap").starts_with("HTTP/1.1 500 "));
    }
    process.signal(Signal::SIGTERM);
    assert_eq!(process.0.wait().unwrap().code(), Some(0));
}

#[test]
fn a_full_disk_for_the_log_stops_nothing() {
    fails_into(fs::File::options().write(true).open("/dev/full").unwrap().into(), 10);
}

#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    let (unread, log) = std::io::pipe().unwrap();
    // More lines than a pipe and the queue in front of it hold.
    fails_into(log.into(), 5000);
    drop(unread);
}

#[test]
fn a_closed_standard_error_stops_nothing() {
    let (read, log) = std::io::pipe().unwrap();
    drop(read);
    fails_into(log.into(), 10);
}
