//! What takes minutes and a quiet machine: thousands of connections that are held open, and millions of requests.
//! `make test-load` and `make soak` run it against the binary that ships.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking, and tells what it measured"
)]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use support::Service;

/// The binary that ships, as `STATUS_HOST` names it.
fn start(options: &[&str]) -> Service {
    let binary = PathBuf::from(std::env::var_os("STATUS_HOST").expect("STATUS_HOST names the binary"));
    let mut command = support::in_environment(Command::new(binary));
    command.args(options);
    Service::start_with(command)
}

/// How many connections are held while a normal client asks, and how often that one does.
const HELD: usize = 2_000;
const REQUESTS: usize = 5_000;

/// What 99 of 100 answers are to come within.
const P99: Duration = Duration::from_millis(50);

/// Holds connections that have been brought into a bad state by `abuse`, and asks beside them.
fn held(abuse: impl Fn(&mut TcpStream)) {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let service = start(&[
        "--client-timeout",
        "5m",
        "--idle-timeout",
        "5m",
        "--drain-timeout",
        "1s",
    ]);
    let connections: Vec<_> = (0..HELD)
        .map(|_| {
            let mut stream = service.connect();
            abuse(&mut stream);
            stream
        })
        .collect();
    // What they have brought is worked off; what is left is that they are there.
    thread::sleep(Duration::from_secs(5));
    let mut normal = service.connect();
    let mut times: Vec<_> = (0..REQUESTS)
        .map(|_| {
            let begin = Instant::now();
            let answer = support::get_on(&mut normal, "/status");
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            begin.elapsed()
        })
        .collect();
    let open = std::fs::read_dir(format!("/proc/{}/fd", service.id())).unwrap().count();
    assert!(open >= HELD, "{open} files are open");
    times.sort_unstable();
    let p99 = times[times.len() * 99 / 100];
    eprintln!(
        "{HELD} held: p50 {:?}, p99 {p99:?}, worst {:?}",
        times[times.len() / 2],
        times.last().unwrap()
    );
    assert!(p99 < P99, "{p99:?}");
    drop(connections);
    service.finish();
}

#[test]
fn heads_that_do_not_end_are_held() {
    held(|stream| stream.write_all(b"GET /status HTTP/1.1\r\nhost: a\r\nx: ").unwrap());
}

#[test]
fn bodies_that_do_not_end_are_held() {
    held(|stream| {
        stream
            .write_all(b"POST /status HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n1")
            .unwrap();
    });
}

#[test]
fn answers_that_are_not_taken_are_held() {
    held(|stream| {
        stream
            .write_all(b"GET /status HTTP/1.1\r\nhost: a\r\n\r\n".repeat(100).as_slice())
            .unwrap();
    });
}

#[test]
fn idle_connections_are_held() {
    held(|stream| drop(support::get_on(stream, "/status")));
}

#[test]
fn connections_that_say_nothing_are_held() {
    held(|_| ());
}

#[test]
fn slowhttptest_finds_the_service_available() {
    let service = start(&[]);
    let url = format!("http://{}/status", service.address);
    let attacks: [&[&str]; 4] = [
        &["-H", "-i", "2"],
        &["-B", "-i", "2", "-s", "8192", "-t", "POST"],
        &["-R", "-t", "HEAD", "-a", "10", "-b", "3000"],
        &["-X", "-w", "1", "-y", "2", "-n", "2", "-z", "1", "-k", "8"],
    ];
    for attack in attacks {
        let output = Command::new("slowhttptest")
            .args(["-c", "1000", "-r", "500", "-l", "15", "-p", "2", "-u", &url])
            .args(attack)
            .output()
            .expect("slowhttptest is to be installed");
        let report = String::from_utf8_lossy(&output.stdout);
        let lines: Vec<_> = report
            .lines()
            .filter(|line| line.contains("service available"))
            .collect();
        assert!(!lines.is_empty(), "{attack:?}: {report}");
        assert!(lines.iter().all(|line| line.contains("YES")), "{attack:?}: {lines:?}");
        eprintln!("{attack:?}: available {} times of {}", lines.len(), lines.len());
    }
    service.finish();
}

/// The soak: how many requests, on how many connections at once, and how many in one write.
const SOAK: usize = 5_000_000;
const SOAKERS: usize = 4;
const BATCH: usize = 50;

/// Requests on one connection before it is given up for another.
const PER_CONNECTION: usize = 10_000;

/// How much resident memory may grow from a tenth of the requests to the end.
const GROWTH: u64 = 2 * 1024 * 1024;

#[test]
fn soak() {
    let service = start(&[]);
    let (address, done) = (service.address, AtomicUsize::new(0));
    let begin = Instant::now();
    let early = thread::scope(|scope| {
        let soak = || {
            while done.fetch_add(PER_CONNECTION, Ordering::Relaxed) < SOAK {
                ask_often(address);
            }
        };
        let soakers: Vec<_> = (0..SOAKERS).map(|_| scope.spawn(soak)).collect();
        while done.load(Ordering::Relaxed) < SOAK / 10 && !soakers.iter().any(ScopedJoinHandle::is_finished) {
            thread::sleep(Duration::from_millis(10));
        }
        service.resident()
    });
    let late = service.resident();
    let seconds = begin.elapsed().as_secs_f64();
    eprintln!("{SOAK} requests in {seconds:.0} s; resident {early} bytes at a tenth, {late} at the end");
    assert!(late < early + GROWTH, "{early} bytes became {late}");
    let log = service.finish();
    assert!(log.iter().all(|line| line["severity"] == "INFO"), "{log:?}");
}

/// Asks on one connection, and checks every answer byte by byte but for its date.
fn ask_often(address: SocketAddr) {
    let mut stream = support::connect(address);
    let expected = support::get_on(&mut stream, "/status");
    let date = expected.find("date: ").unwrap()..expected.find(" GMT").unwrap();
    let requests = b"GET /status HTTP/1.1\r\nhost: a\r\n\r\n".repeat(BATCH);
    let mut answers = vec![0; expected.len() * BATCH];
    for _ in 0..PER_CONNECTION / BATCH {
        stream.write_all(&requests).unwrap();
        stream.read_exact(&mut answers).unwrap();
        for answer in answers.chunks(expected.len()) {
            let same = answer[..date.start] == expected.as_bytes()[..date.start]
                && answer[date.end..] == expected.as_bytes()[date.end..];
            assert!(same, "{:?}", String::from_utf8_lossy(answer));
        }
    }
}
