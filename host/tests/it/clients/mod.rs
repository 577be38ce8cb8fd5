//! Hostile and slow clients: each has limits in time and size, and affects nobody else.

mod closing;
mod idle;
mod limits;
mod memory;
mod timeouts;

use std::io::Write;
use std::net::Shutdown;

use crate::support::{Response, TestServer, read_to_close};

#[test]
fn half_closed_connection_is_answered() {
    let server = TestServer::start();
    let mut stream = server.connect();
    stream.write_all(b"GET /status HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(Response::parse(&read_to_close(&mut stream)).status, 200);
}

#[test]
fn incomplete_head_of_a_half_closed_connection_is_ignored() {
    let server = TestServer::start();
    let mut stream = server.connect();
    stream.write_all(b"GET /status HTTP/1.1\r\nhost: a").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_close(&mut stream), b"");
}

#[test]
fn bytes_after_a_body_are_not_read() {
    let server = TestServer::start();
    for request in [
        "POST /status HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\n1",
        "POST /status HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\n1\r\n0\r\n\r\n",
    ] {
        let response = server.send(format!("{request}GET /status HTTP/1.1\r\nhost: a\r\n\r\n"));
        response.assert_problem_and_close(405);
        assert!(!response.text().contains("HTTP/1.1"), "{response:?}");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = TestServer::probe("");
    let mut stream = server.connect();
    let requests = "GET /1 HTTP/1.1\r\nhost: a\r\n\r\nGET /2 HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n\
                    \r\n\r\nGET /3 HTTP/1.1\r\nhost: a\r\n\r\nGET /4 HTTP/1.1\nhost: a\r\n\r\nGET /5 HTTP/1.1\r\n";
    stream.write_all(requests.as_bytes()).unwrap();
    let received = String::from_utf8(read_to_close(&mut stream)).unwrap();
    let starts: Vec<_> = received.match_indices("HTTP/1.1 ").map(|(at, _)| at).collect();
    assert_eq!(starts.len(), 4, "{received}");
    for (range, target) in starts.windows(2).zip(["/1", "/2", "/3"]) {
        let response = Response::parse(&received.as_bytes()[range[0]..range[1]]);
        response.assert_is(200, target);
    }
    Response::parse(&received.as_bytes()[starts[3]..]).assert_problem(400);
}

#[test]
fn rejected_head_request_gets_no_content() {
    let server = TestServer::start();
    let target = "x".repeat(9000);
    let response = server.send(format!("HEAD /{target} HTTP/1.1\r\nhost: a\r\n\r\n"));
    response.assert_is(414, "");
}
