//! Thousands of connections that are held open, and millions of requests, against the release binary.
//!
//! They need minutes and print what they measure. `STATUS_HOST` is the path of a release binary.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use crate::support::{TestServer, connect, get_keep_alive};

/// Brings many connections into a bad state by `abuse`, which causes `responses` each, and sends requests on another
/// one.
#[track_caller]
fn serve_beside(responses: u64, abuse: impl Fn(&mut TcpStream)) {
    const HELD: u64 = 2_000;
    const REQUESTS: usize = 5_000;
    let server = TestServer::start();
    let mut held: Vec<_> = (0..HELD).map(|_| server.connect()).collect();
    held.iter_mut().for_each(abuse);
    server.metrics_until("all connections are in their state", |metrics| {
        metrics.count("status_host_connections_open") == HELD
            && metrics.sum("status_host_http_requests_total") == HELD * responses
    });
    let mut normal = server.connect();
    let mut times: Vec<_> = (0..REQUESTS)
        .map(|_| {
            let begin = Instant::now();
            assert_eq!(get_keep_alive(&mut normal, "/status").status, 200);
            begin.elapsed()
        })
        .collect();
    let open = server.metrics().count("status_host_connections_open");
    assert_eq!(open, HELD + 1);
    times.sort_unstable();
    let quantile = |percent: usize| times[(REQUESTS - 1) * percent / 100];
    eprintln!(
        "{HELD} held: p50 {:?}, p99 {:?}, maximum {:?}",
        quantile(50),
        quantile(99),
        quantile(100)
    );
}

#[test]
fn unfinished_heads_do_not_stop_others() {
    serve_beside(0, |stream| {
        stream.write_all(b"GET /status HTTP/1.1\r\nhost: a\r\nx: ").unwrap();
    });
}

#[test]
fn unfinished_bodies_do_not_stop_others() {
    let request = b"POST /status HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n1";
    serve_beside(0, |stream| stream.write_all(request).unwrap());
}

#[test]
fn unread_responses_do_not_stop_others() {
    let requests = b"GET /status HTTP/1.1\r\nhost: a\r\n\r\n".repeat(100);
    serve_beside(100, |stream| stream.write_all(&requests).unwrap());
}

#[test]
fn idle_connections_do_not_stop_others() {
    serve_beside(1, |stream| drop(get_keep_alive(stream, "/status")));
}

#[test]
fn silent_connections_do_not_stop_others() {
    serve_beside(0, |_| ());
}

#[test]
fn slowhttptest_finds_the_service_available() {
    let server = TestServer::start();
    let url = format!("http://{}/status", server.address);
    let attacks: [&[&str]; 4] = [
        &["-H", "-i", "2"],
        &["-B", "-i", "2", "-s", "8192", "-t", "POST"],
        &["-R", "-t", "HEAD", "-a", "10", "-b", "3000"],
        &["-X", "-w", "1", "-y", "2", "-n", "2", "-z", "1", "-k", "8"],
    ];
    for attack in attacks {
        let mut command = Command::new("slowhttptest");
        command.args(["-c", "1000", "-r", "500", "-l", "15", "-p", "2", "-u", &url]);
        let output = command.args(attack).output().expect("slowhttptest is installed");
        let report = String::from_utf8_lossy(&output.stdout);
        let lines: Vec<_> = report
            .lines()
            .filter(|line| line.contains("service available"))
            .collect();
        assert!(!lines.is_empty(), "{attack:?}: {report}");
        assert!(lines.iter().all(|line| line.contains("YES")), "{attack:?}: {lines:?}");
    }
}

/// Requests on one connection, and in one write.
const PER_CONNECTION: usize = 10_000;
const BATCH: usize = 50;

#[test]
fn soak() {
    const REQUESTS: usize = 5_000_000;
    const CLIENTS: usize = 4;
    /// Growth of resident memory from a tenth of the requests to the end, in bytes.
    const MAX_GROWTH: u64 = 2 * 1024 * 1024;
    let server = TestServer::start();
    let (address, sent) = (server.address, AtomicUsize::new(0));
    let begin = Instant::now();
    let early = thread::scope(|scope| {
        let client = || {
            while sent.fetch_add(PER_CONNECTION, Ordering::Relaxed) < REQUESTS {
                send_batches(address);
            }
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        while sent.load(Ordering::Relaxed) < REQUESTS / 10 && !clients.iter().any(ScopedJoinHandle::is_finished) {
            thread::sleep(Duration::from_millis(10));
        }
        server.resident_bytes()
    });
    let late = server.resident_bytes();
    let seconds = begin.elapsed().as_secs_f64();
    eprintln!("{REQUESTS} requests in {seconds:.0} s; {early} bytes resident at a tenth, {late} at the end");
    assert!(late < early + MAX_GROWTH, "{early} bytes became {late}");
    let log = server.stop();
    assert!(log.iter().all(|line| line["severity"] == "INFO"), "{log:?}");
}

/// Sends requests on one connection, and compares every response with the first, except for its date.
#[track_caller]
fn send_batches(address: SocketAddr) {
    let mut stream = connect(address);
    let request = b"GET /status HTTP/1.1\r\nhost: a\r\n\r\n";
    stream.write_all(request).unwrap();
    let mut buffer = [0; 4096];
    let length = stream.read(&mut buffer).unwrap();
    let expected = std::str::from_utf8(&buffer[..length]).unwrap();
    let date = expected.find("date: ").unwrap()..expected.find(" GMT").unwrap();
    let mut received = vec![0; length * BATCH];
    for _ in 0..PER_CONNECTION / BATCH {
        stream.write_all(&request.repeat(BATCH)).unwrap();
        stream.read_exact(&mut received).unwrap();
        for response in received.chunks(length) {
            let is_same = response[..date.start] == expected.as_bytes()[..date.start]
                && response[date.end..] == expected.as_bytes()[date.end..];
            assert!(is_same, "{:?}", String::from_utf8_lossy(response));
        }
    }
}
