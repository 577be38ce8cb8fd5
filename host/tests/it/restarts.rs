//! One instance after another on the same listening socket: no request is lost.

use std::fs::File;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::log::messages;
use crate::support::{
    TestServer, assert_refused, connect, free_addr, read_to_close, try_get_keep_alive, try_send, with_inherited_socket,
};

/// A draining server closes a connection that has been waiting for its next request for this long. A request that a
/// client sends later may be lost, as on any idle connection.
const SHUTDOWN_READ_GRACE: Duration = Duration::from_millis(500);

#[test]
fn restarts_lose_no_request() {
    const RESTARTS: usize = 100;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, done) = (listener.local_addr().unwrap(), AtomicBool::new(false));
    // Both instances have the admin port for a moment.
    let admin = format!("--admin {}", free_addr());
    let mut instance = TestServer::inherit(&listener, &admin);
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
                let next = TestServer::inherit(&listener, &admin);
                let log = std::mem::replace(&mut instance, next).stop();
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
    let request = "GET /status HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    match try_send(address, request) {
        Some(response) => assert_eq!(response.status, 200, "{response:?}"),
        None => assert!(begin.elapsed() >= SHUTDOWN_READ_GRACE, "a request is lost"),
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
                assert!(waits.elapsed() >= SHUTDOWN_READ_GRACE, "a request is lost: {error}");
                return;
            }
        }
        waits = sent;
    }
}

#[test]
fn requests_in_the_backlog_are_answered_on_shutdown() {
    const CLIENTS: usize = 400;
    for _ in 0..3 {
        // An instance that yields holds its place, and here many do.
        let server = TestServer::with_options("--max-concurrency 400");
        let mut clients: Vec<_> = (0..CLIENTS).map(|_| server.connect()).collect();
        for stream in &mut clients {
            stream.write_all(b"GET /status HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        }
        // Some are answered, some are read, some are accepted, and some are not.
        server.signal(Signal::SIGTERM);
        for stream in &mut clients {
            let received = String::from_utf8(read_to_close(stream)).unwrap();
            assert!(received.starts_with("HTTP/1.1 200 "), "{received}");
        }
        server.wait_for_success();
    }
}

#[test]
fn inherited_descriptor_must_be_a_listening_socket() {
    let file = File::open("/dev/null").unwrap();
    let output = with_inherited_socket(file, "").output().unwrap();
    assert_refused(&output, 1, &["LISTEN_FDS", "not a socket"]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connected = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let output = with_inherited_socket(connected, "").output().unwrap();
    assert_refused(&output, 1, &["LISTEN_FDS", "it is not a listening socket"]);
}
