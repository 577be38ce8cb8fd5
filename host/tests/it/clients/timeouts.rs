//! Time limits of clients, over real sockets. The unit tests of `http::io` cover them with paused time.
//!
//! With a short client timeout the first head of a connection may be late on a busy machine, so that the server closes
//! the connection without a response. These tests then try again.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::support::{Response, TestServer, eventually, read_to_close, try_get_keep_alive, try_send, wait_until};

/// The client timeout of these tests.
const CLIENT_TIMEOUT: Duration = Duration::from_millis(300);

fn impatient_server() -> TestServer {
    TestServer::probe("--client-timeout 300ms")
}

#[test]
fn late_head_gets_408() {
    let server = impatient_server();
    let response = eventually("a response", || {
        try_send(server.address, "GET /status HTTP/1.1\r\nhost: a\r\nx-a: b")
    });
    response.assert_problem_and_close(408);
}

#[test]
fn connection_without_a_head_is_closed() {
    let server = impatient_server();
    assert_eq!(read_to_close(&mut server.connect()), b"");
}

#[test]
fn trickling_head_gets_408() {
    let server = impatient_server();
    let response = eventually("a response", || {
        let mut stream = server.connect();
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        trickle(&mut stream)
    });
    response.assert_problem(408);
}

/// Sends a piece of a head at each read timeout, until there is a response or the connection is closed.
fn trickle(stream: &mut TcpStream) -> Option<Response> {
    let (mut received, mut chunk) = (Vec::new(), [0; 1024]);
    loop {
        // Fails after the server has closed the connection, whose response may still be unread.
        let _ = stream.write_all(b"GET / HTTP/1.1");
        match stream.read(&mut chunk) {
            Ok(0) => return Response::try_parse(&received),
            Ok(read) => received.extend_from_slice(&chunk[..read]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return Response::try_parse(&received),
        }
    }
}

#[test]
fn late_body_gets_408() {
    let server = impatient_server();
    for framing in ["content-length: 2", "transfer-encoding: chunked"] {
        let request = format!("POST /wait-for-body HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n1");
        let response = eventually("a response", || try_send(server.address, &request));
        response.assert_problem_and_close(408);
    }
}

#[test]
fn unread_response_is_given_up() {
    const REQUESTS: usize = 64;
    let server = impatient_server();
    // More than the buffers of both sides hold.
    let requests = "GET /mebibyte HTTP/1.1\r\nhost: a\r\n\r\n".repeat(REQUESTS);
    let mut connections = 0;
    let received = eventually("a response begins", || {
        connections += 1;
        let mut stream = server.connect();
        stream.write_all(requests.as_bytes()).ok()?;
        // Read only after the server has closed the connection.
        server.wait_for_metric("status_host_connections_accepted_total", connections);
        server.wait_for_metric("status_host_connections_open", 0);
        Some(read_to_close(&mut stream).len()).filter(|received| *received > 0)
    });
    assert!(received < REQUESTS * 1024 * 1024, "{received} bytes");
}

#[test]
fn idle_connection_may_send_empty_lines_for_longer_than_the_client_timeout() {
    let server = impatient_server();
    wait_until("the first head is in time", || {
        let mut stream = server.connect();
        try_get_keep_alive(&mut stream, "/count").is_ok()
            // They neither begin a head nor fill its buffer.
            && stream.write_all("\r\n".repeat(64 * 1024).as_bytes()).is_ok()
            && {
                thread::sleep(2 * CLIENT_TIMEOUT);
                stream.write_all(b"\r").is_ok() && stream.write_all(b"\n").is_ok()
            }
            && try_get_keep_alive(&mut stream, "/count").is_ok_and(|response| response.status == 200)
    });
}

#[test]
fn idle_connection_is_closed_after_the_idle_timeout() {
    let server = TestServer::probe("--idle-timeout 100ms");
    let mut stream = server.connect();
    try_get_keep_alive(&mut stream, "/count").unwrap();
    assert_eq!(read_to_close(&mut stream), b"");
}
