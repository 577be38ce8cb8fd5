//! Malformed or ambiguous requests: each is rejected with the status that its clause names, and nothing after it is
//! read.

mod table;

use std::collections::HashSet;
use std::io::Write;
use std::net::Shutdown;

use status_host::http::{Rejection, head};

use crate::corpus::connection;
use crate::support::{Response, TestServer, read_to_close};
use table::{INVALID_BODIES, INVALID_HEADS, VALID};

/// A request that gets a response if the server reads it.
const SMUGGLED: &str = "GET /status HTTP/1.1\r\nhost: smuggled\r\n\r\n";

const CHUNKED_POST: &str = "POST /status HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";

/// Validates a head as the server does.
fn validate(bytes: &[u8]) -> Result<(), Rejection> {
    let end = head::find_end(bytes, 0)?.unwrap();
    head::validate(&bytes[..end]).map(drop)
}

#[test]
fn invalid_head_is_rejected_by_the_validator() {
    for (clause, head, status) in INVALID_HEADS {
        let rejection = validate(head.as_bytes()).expect_err(clause);
        assert_eq!(rejection.status, *status, "{clause}: {}", rejection.detail);
    }
    let clauses: HashSet<_> = INVALID_HEADS.iter().map(|(clause, ..)| clause).collect();
    assert_eq!(clauses.len(), INVALID_HEADS.len(), "a clause occurs twice");
}

#[test]
fn incomplete_head_has_no_end() {
    assert_eq!(head::find_end(b"GET / HTTP/1.1\r\n", 0), Ok(None));
    assert!(head::validate(b"GET / HTTP/1.1\r\n").is_err());
}

/// One problem, the connection closed, and nothing else.
#[track_caller]
fn assert_rejected(clause: &str, received: &[u8], status: u16) {
    let response = Response::parse(received);
    assert_eq!(response.status, status, "{clause}: {response:?}");
    response.assert_problem_and_close(status);
    let length = response.body.len().to_string();
    assert_eq!(response.header("content-length"), length, "{clause}: {response:?}");
}

#[test]
fn nothing_after_an_invalid_request_is_answered() {
    let service = connection::service();
    let heads = INVALID_HEADS
        .iter()
        .map(|(clause, head, status)| (*clause, (*head).to_owned(), *status));
    let bodies = INVALID_BODIES
        .iter()
        .map(|(clause, body)| (*clause, format!("{CHUNKED_POST}{body}"), 400));
    for (clause, request, status) in heads.chain(bodies) {
        let received = connection::answer(&service, format!("{request}{SMUGGLED}").as_bytes());
        assert_rejected(clause, &received, status);
    }
}

/// One row of each clause, through the binary and a socket.
#[test]
fn nothing_after_an_invalid_request_is_answered_by_the_binary() {
    let server = TestServer::start();
    let send = |request: &str| {
        let mut stream = server.connect();
        stream.write_all(format!("{request}{SMUGGLED}").as_bytes()).unwrap();
        read_to_close(&mut stream)
    };
    let mut clauses = HashSet::new();
    for (name, head, status) in INVALID_HEADS {
        let clause = &name[..name.find(char::is_alphabetic).unwrap()];
        if clauses.insert(clause) {
            assert_rejected(name, &send(head), *status);
        }
    }
    let (name, body) = INVALID_BODIES[0];
    assert_rejected(name, &send(&format!("{CHUNKED_POST}{body}")), 400);
}

#[test]
fn incomplete_body_is_rejected() {
    let server = TestServer::start();
    let mut stream = server.connect();
    let request = "POST /status HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n1";
    stream.write_all(request.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_rejected("6.3", &read_to_close(&mut stream), 400);
}

#[test]
fn unusual_but_valid_request_is_answered() {
    let server = TestServer::start();
    for request in VALID {
        let response = server.send(request);
        assert_eq!(response.status, 200, "{request:?}: {response:?}");
    }
    let response = server.send("OPTIONS * HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    response.assert_problem(404);
}
