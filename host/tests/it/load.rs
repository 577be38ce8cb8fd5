//! Many connections that are held open, and many requests, against the release binary. `STATUS_HOST` is its path.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::thread;

use crate::support::{TestServer, get_keep_alive, wait_until};

/// Brings many connections into a state by `abuse`, which gets `responses` each, and sends requests on another one.
#[track_caller]
fn serve_beside(responses: u64, abuse: impl Fn(&mut TcpStream)) {
    const HELD: u64 = 2_000;
    const REQUESTS: usize = 5_000;
    let server = TestServer::with_options("--max-connections 4096");
    let mut held: Vec<_> = (0..HELD).map(|_| server.connect()).collect();
    held.iter_mut().for_each(abuse);
    wait_until("all connections are in their state", || {
        server.metrics().sum("status_host_http_requests_total") == HELD * responses
    });
    let mut normal = server.connect();
    for _ in 0..REQUESTS {
        assert_eq!(get_keep_alive(&mut normal, "/status").status, 200);
    }
    let open = server.metrics().count("status_host_connections_open");
    assert_eq!(open, HELD + 1);
    server.stop_now();
}

#[test]
fn unfinished_heads_do_not_stop_others() {
    let head = b"GET /status HTTP/1.1\r\nhost: a\r\nx: ";
    serve_beside(0, |stream| stream.write_all(head).unwrap());
}

#[test]
fn unfinished_bodies_do_not_stop_others() {
    let request = b"POST /status HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n1";
    serve_beside(0, |stream| stream.write_all(request).unwrap());
}

#[test]
fn unread_responses_do_not_stop_others() {
    const REQUESTS: usize = 100;
    let requests = b"GET /status HTTP/1.1\r\nhost: a\r\n\r\n".repeat(REQUESTS);
    serve_beside(REQUESTS as u64, |stream| stream.write_all(&requests).unwrap());
}

#[test]
fn default_number_of_idle_connections_fits_the_memory_request_of_the_manifest() {
    const MAX_CONNECTIONS: usize = 1024;
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/kubernetes/deployment.yaml");
    let manifest = fs::read_to_string(manifest).unwrap();
    let mut requests = manifest.lines().skip_while(|line| line.trim() != "requests:");
    let memory = requests.find_map(|line| line.trim().strip_prefix("memory: ")?.strip_suffix("Mi"));
    let memory = memory.unwrap().parse::<u64>().unwrap() * 1024 * 1024;
    let server = TestServer::start();
    let mut idle: Vec<_> = (0..MAX_CONNECTIONS).map(|_| server.connect()).collect();
    for stream in &mut idle {
        assert_eq!(get_keep_alive(stream, "/status").status, 200);
    }
    let resident = server.resident_bytes();
    assert!(resident < memory, "{resident} of {memory} bytes");
}

#[test]
fn service_under_slowhttptest_is_available() {
    const ATTACKS: [&[&str]; 4] = [
        &["-H", "-i", "1"],
        &["-B", "-i", "1", "-s", "8192", "-t", "POST"],
        &["-R", "-t", "HEAD", "-a", "10", "-b", "3000"],
        &["-X", "-w", "1", "-y", "2", "-n", "1", "-z", "1", "-k", "8"],
    ];
    let server = TestServer::start();
    let url = format!("http://{}/status", server.address);
    let attack = |arguments: &[&str]| {
        let mut command = Command::new("slowhttptest");
        command
            .args(["-c", "500", "-r", "500", "-l", "5", "-p", "2", "-u", &url])
            .args(arguments);
        let output = command.output().expect("slowhttptest is installed");
        let report = String::from_utf8_lossy(&output.stdout);
        let mut results = report
            .lines()
            .filter(|line| line.contains("service available"))
            .peekable();
        let is_available = results.peek().is_some() && results.all(|line| line.contains("YES"));
        assert!(is_available, "{arguments:?}: {report}");
    };
    thread::scope(|scope| {
        for arguments in ATTACKS {
            scope.spawn(move || attack(arguments));
        }
    });
}
