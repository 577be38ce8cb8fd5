//! From the start to the exit code: signals, the drain, file descriptors, and a log that cannot be written.

use std::fs::{self, File};
use std::io::{self, Read};
use std::net::TcpListener;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::component::spin;
use crate::support::log::{LogLines, messages};
use crate::support::metrics::Metrics;
use crate::support::{
    Process, TestServer, assert_refused, connect, eventually, finish, free_addr, get_keep_alive, read_to_close,
    status_host, status_host_after, wait_until, with_inherited_socket,
};

#[test]
fn signal_drains_the_server() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let server = TestServer::start();
        let mut idle = server.connect();
        get_keep_alive(&mut idle, "/status");
        server.signal(signal);
        let log = server.wait_for_success();
        assert_eq!(messages(&log), ["draining", "drained"]);
        assert_eq!(
            (&log[0]["signal"], &log[0]["connections"]),
            (&signal.as_str().into(), &1.into())
        );
        assert_eq!(idle.read(&mut [0; 1]).unwrap(), 0);
    }
}

#[test]
fn signal_during_the_start_drains_the_server_right_after_it() {
    let mut command = status_host();
    let mut process = Process::spawn(command.args(["--listen", "127.0.0.1:0"]).stderr(Stdio::piped()));
    wait_until("the process handles SIGTERM", || {
        let status = fs::read_to_string(format!("/proc/{}/status", process.0.id())).unwrap();
        let handled = status.lines().find_map(|line| line.strip_prefix("SigCgt:\t")).unwrap();
        u64::from_str_radix(handled, 16).unwrap() & (1 << (Signal::SIGTERM as u64 - 1)) != 0
    });
    process.signal(Signal::SIGTERM);
    assert!(process.wait().success());
    let log = LogLines::new(process.0.stderr.take().unwrap()).read_to(None);
    assert_eq!(messages(&log)[1..], ["serving", "draining", "drained"]);
}

/// Waits until the server reports that it drains.
#[track_caller]
fn wait_until_draining(server: &TestServer) {
    let response = eventually("the server is not ready", || {
        Some(server.admin_get("/readyz")).filter(|response| response.status == 503)
    });
    assert_eq!(response.text(), "draining\n");
}

#[test]
fn drain_delay_accepts_requests_and_closes_their_connections() {
    let server = TestServer::with_options("--drain-delay 1h");
    let mut open = server.connect();
    assert!(!get_keep_alive(&mut open, "/status").has_header("connection"));
    server.signal(Signal::SIGTERM);
    wait_until_draining(&server);
    assert_eq!(server.admin_get("/livez").status, 200);
    // The load balancer still sends requests, on open connections and on new ones.
    for mut stream in [open, server.connect()] {
        let response = get_keep_alive(&mut stream, "/status");
        assert_eq!((response.status, response.header("connection")), (200, "close"));
        assert_eq!(read_to_close(&mut stream), b"");
    }
    server.signal(Signal::SIGINT);
    assert_eq!(
        messages(&server.wait_for_success()),
        ["withdrawing readiness", "second signal; closing remaining connections"]
    );
}

#[test]
fn drain_begins_after_the_delay() {
    let server = TestServer::with_options("--drain-delay 100ms");
    assert_eq!(
        messages(&server.stop()),
        ["withdrawing readiness", "draining", "drained"]
    );
}

#[test]
fn request_in_flight_is_answered_before_the_drain_ends() {
    let server = TestServer::start();
    let request = server.incomplete_request();
    server.signal(Signal::SIGTERM);
    server.wait_until_closed();
    wait_until_draining(&server);
    let response = finish(request, "!");
    assert_eq!((response.status, response.header("connection")), (200, "close"));
    assert_eq!(messages(&server.wait_for_success()), ["draining", "drained"]);
}

#[test]
fn client_that_never_finishes_its_body_holds_the_drain_up_to_the_drain_timeout() {
    let server = TestServer::with_options("--drain-timeout 100ms");
    let request = server.incomplete_request();
    assert_eq!(
        messages(&server.stop()),
        ["draining", "drain timed out; closing remaining connections"]
    );
    drop(request);
}

#[test]
fn second_signal_ends_the_drain_beside_an_endless_guest() {
    let server = TestServer::module(&spin(), &mut status_host());
    let mut stream = server.connect();
    io::Write::write_all(&mut stream, b"GET /status HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    server.wait_for_metric("status_host_instances_in_use", 1);
    let log = server.stop_now();
    assert_eq!(
        messages(&log),
        ["draining", "second signal; closing remaining connections"]
    );
}

#[test]
fn file_descriptors_suffice_for_all_connections_of_both_ports() {
    const CONNECTIONS: u32 = 40;
    /// For everything else, as an error states.
    const RESERVED: u32 = 64;
    let options = format!("--listen 127.0.0.1:0 --max-connections {CONNECTIONS}");
    // The server raises the soft limit.
    let limited = |limit| status_host_after(&format!("ulimit -Sn 16; ulimit -Hn {limit};"), &options);
    let server = TestServer::spawn(&mut limited(CONNECTIONS + RESERVED));
    let connect = |_| [server.connect(), connect(server.admin.unwrap())];
    let flood: Vec<_> = (0..3 * CONNECTIONS).flat_map(connect).collect();
    assert_eq!(server.get("/status").status, 200);
    assert_eq!(server.metrics().count("status_host_accept_failures_total"), 0);
    drop(flood);
    let output = limited(CONNECTIONS + RESERVED - 1).output().unwrap();
    assert_refused(
        &output,
        1,
        &["104 file descriptors may be needed", "ulimit -n", "--max-connections"],
    );
}

/// Serves requests, with a log line each, with `log` as standard error; then drains. Returns how many log events were
/// dropped.
#[track_caller]
fn serve_with_log(log: Stdio, requests: usize) -> u64 {
    let (admin, listener) = (free_addr(), TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.local_addr().unwrap();
    let mut command = with_inherited_socket(listener, "--access-log 1");
    let mut process = Process::spawn(command.env("ADMIN", admin.to_string()).stderr(log));
    // The kernel holds the connection until the server accepts it.
    let mut stream = connect(address);
    for _ in 0..requests {
        assert_eq!(get_keep_alive(&mut stream, "/status").status, 200);
    }
    let dropped = Metrics::scrape(admin).count("status_host_log_events_dropped_total");
    process.signal(Signal::SIGTERM);
    assert_eq!(process.wait().code(), Some(0));
    dropped
}

#[test]
fn log_on_a_full_disk_or_a_closed_pipe_is_dropped_and_counted() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let (reader, closed) = io::pipe().unwrap();
    drop(reader);
    for log in [Stdio::from(full), closed.into()] {
        assert!(serve_with_log(log, 10) > 0);
    }
}

#[test]
fn log_that_nobody_reads_is_dropped_and_counted() {
    // More lines than the pipe and the queue of the log hold.
    const REQUESTS: usize = 6_000;
    let (unread, log) = io::pipe().unwrap();
    assert!(serve_with_log(log.into(), REQUESTS) > 0);
    drop(unread);
}

/// How often the threads of the server have waited so far, each of which is followed by a wake-up.
fn waits(server: &TestServer) -> u64 {
    let status = server.thread_status();
    let waits = status.iter().map(|status| {
        let mut lines = status.lines();
        lines
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))
            .unwrap()
    });
    waits.map(|waits| waits.trim().parse::<u64>().unwrap()).sum()
}

#[test]
fn server_without_requests_hardly_wakes_up() {
    /// An epoch thread that does not park would wake up a hundred times.
    const MAX_WAKE_UPS: u64 = 5;
    const WINDOW: Duration = Duration::from_millis(500);
    let server = TestServer::start();
    assert_eq!(server.get("/status").status, 200);
    wait_until("the server sleeps", || {
        let before = waits(&server);
        thread::sleep(WINDOW);
        waits(&server) - before <= MAX_WAKE_UPS
    });
}
