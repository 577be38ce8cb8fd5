//! One instance after another on the same listening socket: no request is lost.

use std::io::Write;
use std::mem;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::log::messages;
use crate::support::{TestServer, connect, read_to_close, try_get_keep_alive, try_send};

/// A draining server closes a connection that has been waiting for its next request for this long. A request that a
/// client sends later may be lost, as on any idle connection.
const LAST_REQUEST_TIME: Duration = Duration::from_millis(500);

#[test]
fn restarts_lose_no_request() {
    const RESTARTS: usize = 10;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, done) = (listener.local_addr().unwrap(), AtomicBool::new(false));
    let mut instance = TestServer::inherit(&listener);
    assert_eq!(instance.address, address);
    thread::scope(|scope| {
        let done = &done;
        let clients = [new_connection, new_connection, kept_connection, kept_connection].map(
            |client: fn(SocketAddr, &AtomicBool)| {
                scope.spawn(move || {
                    while !done.load(Ordering::Relaxed) {
                        client(address, done);
                    }
                })
            },
        );
        let restarts = scope.spawn(|| {
            for _ in 0..RESTARTS {
                let next = TestServer::inherit(&listener);
                let log = mem::replace(&mut instance, next).stop();
                assert_eq!(messages(&log), ["draining", "drained"]);
            }
        });
        let restarts = restarts.join();
        done.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().unwrap();
        }
        assert!(restarts.is_ok());
    });
    instance.stop();
}

/// Sends one request on a new connection.
fn new_connection(address: SocketAddr, _: &AtomicBool) {
    let begin = Instant::now();
    match try_send(address, "GET /status HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n") {
        Some(response) => assert_eq!(response.status, 200, "{response:?}"),
        None => assert!(begin.elapsed() >= LAST_REQUEST_TIME, "a request is lost"),
    }
}

/// Sends requests on one connection, until the server announces that it closes it.
fn kept_connection(address: SocketAddr, done: &AtomicBool) {
    // The server waits for the next request from some time after this.
    let mut waits = Instant::now();
    let mut stream = connect(address);
    while !done.load(Ordering::Relaxed) {
        let sent = Instant::now();
        match try_get_keep_alive(&mut stream, "/status") {
            Ok(response) => {
                assert_eq!(response.status, 200, "{response:?}");
                if response.has_header("connection") {
                    return;
                }
            }
            Err(error) => {
                assert!(waits.elapsed() >= LAST_REQUEST_TIME, "a request is lost: {error}");
                return;
            }
        }
        waits = sent;
    }
}

#[test]
fn requests_in_the_backlog_are_answered_during_the_drain() {
    const CLIENTS: usize = 400;
    let server = TestServer::start();
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| server.connect()).collect();
    for stream in &mut clients {
        stream.write_all(b"GET /status HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    }
    // Some are answered, some are read, some are accepted, and some are not.
    server.signal(Signal::SIGTERM);
    for mut stream in clients {
        let received = String::from_utf8(read_to_close(&mut stream)).unwrap();
        assert!(received.starts_with("HTTP/1.1 200 "), "{received}");
    }
    server.wait_for_success();
}
