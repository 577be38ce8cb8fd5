//! Limits in size and number.

use std::io::{Read, Write};

use crate::support::{Response, TestServer, eventually, read_to_close};

#[test]
fn body_over_the_limit_gets_413() {
    let server = TestServer::probe("--max-body 8");
    let post = |framing: &str, body: &str| {
        server.send(format!(
            "POST /wait-for-body HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n{body}"
        ))
    };
    post("content-length: 8", "12345678").assert_is(200, "1");
    post("content-length: 9", "123456789").assert_problem(413);
    post("transfer-encoding: chunked", "4\r\n1234\r\n4\r\n5678\r\n0\r\n\r\n").assert_is(200, "1");
    post("transfer-encoding: chunked", "4\r\n1234\r\n5\r\n56789\r\n0\r\n\r\n").assert_problem(413);
    // The server does not ask for a body that is too long.
    post("content-length: 9\r\nexpect: 100-continue", "").assert_problem(413);
}

#[test]
fn head_over_a_limit_gets_414_or_431() {
    let server = TestServer::start();
    let get = |target: &str, fields: &str| {
        server.send(format!(
            "GET {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{fields}\r\n"
        ))
    };
    let fields = |count: usize| "a: b\r\n".repeat(count);
    assert_eq!(get("/status", &fields(98)).status, 200);
    get("/status", &fields(99)).assert_problem(431);
    let target = |length: usize| format!("/status?{}", "x".repeat(length - 8));
    assert_eq!(get(&target(8 * 1024), "").status, 200);
    get(&target(8 * 1024 + 1), "").assert_problem(414);
    get(&target(64 * 1024), "").assert_problem(414);
    // The limits apply to an encoded query. A quote is encoded as three bytes.
    let quotes = |count: usize| format!("/status?{}", "\"".repeat(count));
    assert_eq!(get(&quotes((8 * 1024 - 8) / 3), "").status, 200);
    get(&quotes((8 * 1024 - 8) / 3 + 1), "").assert_problem(414);
    let head = |length: usize| {
        let rest = "GET /status HTTP/1.1\r\nhost: a\r\nconnection: close\r\na: \r\n\r\n".len();
        format!("a: {}\r\n", "x".repeat(length - rest))
    };
    assert_eq!(get("/status", &head(16 * 1024)).status, 200);
    get("/status", &head(16 * 1024 + 1)).assert_problem(431);
    assert_eq!(get("/status?\"", &head(16 * 1024 - 4)).status, 200);
    get("/status?\"", &head(16 * 1024 - 3)).assert_problem(431);
    get("/status", &head(64 * 1024)).assert_problem(431);
}

#[test]
fn connection_over_the_limit_gets_503() {
    /// Connections over the limit that get a response. Those beyond are closed.
    const OVERLOAD_CONNECTIONS: usize = 256;
    let server = TestServer::probe("--max-connections 2");
    let admitted = [server.incomplete_request(), server.incomplete_request()];
    let mut overload: Vec<_> = (0..OVERLOAD_CONNECTIONS).map(|_| server.connect()).collect();
    assert_eq!(read_to_close(&mut server.connect()), b"");
    let request = "GET /status HTTP/1.1\r\nhost: a\r\n\r\n";
    overload[0].write_all(request.as_bytes()).unwrap();
    let response = Response::parse(&read_to_close(&mut overload[0]));
    response.assert_problem_and_close(503);
    assert_eq!(response.header("retry-after"), "1");
    for request in admitted {
        request.complete().assert_is(200, "!");
    }
    drop(overload);
    eventually("a connection is admitted", || {
        server.try_get("/count").filter(|response| response.status == 200)
    });
}

#[test]
fn disconnected_client_frees_its_connection() {
    let server = TestServer::probe("--max-connections 2");
    for _ in 0..50 {
        let mut stream = server.connect();
        stream.write_all(b"GET /mebibyte HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        let _ = stream.read(&mut [0; 16]).unwrap();
    }
    eventually("a connection is admitted", || {
        server.try_get("/count").filter(|response| response.text() == "1")
    });
}
