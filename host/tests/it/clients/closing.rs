//! How the server closes a connection on which bytes still arrive.
//!
//! A socket that is closed with unread bytes is reset, and the client may lose the response (RFC 9112 section 9.6). The
//! server therefore reads on for up to a second. A client that needs longer, on a busy machine, may lose it all the
//! same; a server that does not read on loses nearly all of them. So a part of the responses has to arrive.

use std::io::Write;

use crate::support::{Response, TestServer, eventually, read_to_close, try_send};

/// Requires that `attempt` receives the response with `status` in most cases.
#[track_caller]
fn assert_mostly(status: u16, mut attempt: impl FnMut() -> Option<Response>) {
    const ATTEMPTS: usize = 10;
    let received = (0..ATTEMPTS).filter_map(|_| attempt());
    let received = received.inspect(|response| assert_eq!(response.status, status, "{response:?}"));
    let count = received.count();
    assert!(count > ATTEMPTS / 2, "{count} of {ATTEMPTS} responses");
}

/// A request whose body exceeds the socket buffers, so that the client is still sending it when the server responds.
fn long_post() -> String {
    const LENGTH: usize = 8 * 1024 * 1024;
    let body = "x".repeat(LENGTH);
    format!("POST /status HTTP/1.1\r\nhost: a\r\ncontent-length: {LENGTH}\r\n\r\n{body}")
}

#[test]
fn response_to_a_rejected_body_arrives() {
    let server = TestServer::start();
    assert_mostly(413, || try_send(server.address, long_post()));
}

#[test]
fn response_over_the_connection_limit_arrives() {
    let server = TestServer::probe("--max-connections 1");
    let _only = server.incomplete_request();
    assert_mostly(503, || try_send(server.address, long_post()));
}

#[test]
fn client_that_stays_after_its_last_response_is_closed() {
    let server = TestServer::probe("--max-connections 1");
    let mut rejected = server.connect();
    rejected.write_all(b"nonsense\r\n\r\n").unwrap();
    Response::parse(&read_to_close(&mut rejected)).assert_problem(400);
    eventually("a connection is admitted", || {
        server.try_get("/count").filter(|response| response.status == 200)
    });
}

#[test]
fn response_to_a_rejected_upgrade_with_a_body_arrives() {
    const LENGTH: usize = 200 * 1024;
    let server = TestServer::start();
    let body = "x".repeat(LENGTH);
    let fields = "connection: upgrade\r\nupgrade: websocket";
    let request = format!("POST /status HTTP/1.1\r\nhost: a\r\n{fields}\r\ncontent-length: {LENGTH}\r\n\r\n{body}");
    assert_mostly(413, || try_send(server.address, &request));
}

#[test]
fn hopeless_request_is_rejected_before_the_client_timeout() {
    // The client timeout is an hour.
    let server = TestServer::start();
    let head = "POST /status HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    server
        .send(format!("{head}FFFFFFFFFFFFFFFF\r\n"))
        .assert_problem_and_close(413);
    // The start of a TLS handshake.
    server
        .send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        .assert_problem_and_close(400);
}
