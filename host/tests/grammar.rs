//! What is no request, or could be read as more than one, by the clause that says so: each is refused with the status
//! that fits, and nothing after it is read.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::HashSet;
use std::io::Write;

use status_host::server::head;
use support::{Response, Service};

/// What would be answered with 200 if it were read as a request.
const SMUGGLED: &str = "GET /status HTTP/1.1\r\nhost: smuggled\r\n\r\n";

/// The clause (of RFC 9112 where no other is named), what is sent, and the status.
#[rustfmt::skip]
const HEADS: &[(&str, &str, u16)] = &[
    // Line ends.
    ("2.2 bare LF after the request line", "GET /status HTTP/1.1\nhost: a\r\n\r\n", 400),
    ("2.2 bare LF after a field", "GET /status HTTP/1.1\r\nhost: a\n\r\n", 400),
    ("2.2 bare LF at the end", "GET /status HTTP/1.1\r\nhost: a\r\n\n", 400),
    ("2.2 bare LF everywhere", "GET /status HTTP/1.1\nhost: a\n\n", 400),
    ("2.2 bare LF before the request", "\nGET /status HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("2.2 bare CR after the request line", "GET /status HTTP/1.1\rhost: a\r\n\r\n", 400),
    ("2.2 bare CR in a field", "GET /status HTTP/1.1\r\nhost: a\r\nx: a\rb\r\n\r\n", 400),
    ("2.2 bare CR at the end of a field", "GET /status HTTP/1.1\r\nhost: a\r\nx: a\r\r\n\r\n", 400),
    ("2.2 bare CR in the target", "GET /sta\rtus HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("2.2 CR LF CR CR LF", "GET /status HTTP/1.1\r\nhost: a\r\n\r\r\n\r\n", 400),
    ("2.2 white space before the first field", "GET /status HTTP/1.1\r\n host: a\r\n\r\n", 400),
    ("2.2 tab before the first field", "GET /status HTTP/1.1\r\n\thost: a\r\n\r\n", 400),
    // The request line.
    ("3 nothing but white space", "   \r\nhost: a\r\n\r\n", 400),
    ("3 no target", "GET HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("3 no version", "GET /status\r\nhost: a\r\n\r\n", 400),
    ("3 method only", "GET\r\nhost: a\r\n\r\n", 400),
    ("3 two spaces before the target", "GET  /status HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("3 two spaces after the target", "GET /status  HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("3 tab in place of a space", "GET\t/status HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("3 space before the method", " GET /status HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("3 space after the version", "GET /status HTTP/1.1 \r\nhost: a\r\n\r\n", 400),
    ("3 space in the target", "GET /sta tus HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("3 the rest of another request", "GET /status HTTP/1.1 GET / HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("3.1 brackets in the method", "G[ET] /status HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("3.1 colon in the method", "GET: /status HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("3.1 NUL in the method", "G\0ET /status HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("3.1 letters beyond ASCII in the method", "GÉT /status HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("3.2 target without a slash", "GET status HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("3.2 authority in place of a target", "GET a:80 HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("3.2 fragment in the target", "GET /status#a HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("3.2 fragment in the query", "GET /status?a#b HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("3.2 NUL in the target", "GET /status\0 HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("3.2 control character in the target", "GET /status\u{1} HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("3.2 DEL in the target", "GET /status\u{7f} HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("3.2 letters beyond ASCII in the target", "GET /stätus HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("3.2 angle bracket in the target", "GET /<status> HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("3.2 quote in the path", "GET /\"status HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("3.2 brace in the path", "GET /{status} HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("3.2 backslash in the path", "GET /\\status HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("3986 2.1 percent without digits", "GET /status% HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("3986 2.1 percent with other letters", "GET /%zztatus HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("3.2.2 another scheme", "GET ftp://a/status HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("3.2.2 URI without an authority", "GET http:///status HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("3.2.2 scheme without slashes", "GET http:status HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("9110 4.2.4 user information in the target", "GET http://u@a/status HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("9110 4.2.1 port of the target is no number", "GET http://a:b/status HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("3.2.3 CONNECT", "CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n", 501),
    ("3.2.4 asterisk for another method", "GET * HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ("2.3 version in lower case", "GET /status http/1.1\r\nhost: a\r\n\r\n", 400),
    ("2.3 version without a minor", "GET /status HTTP/1\r\nhost: a\r\n\r\n", 400),
    ("2.3 version with three digits", "GET /status HTTP/1.10\r\nhost: a\r\n\r\n", 400),
    ("2.3 another protocol", "GET /status ICY/1.1\r\nhost: a\r\n\r\n", 400),
    ("9110 15.6.6 HTTP/0.9", "GET /status HTTP/0.9\r\nhost: a\r\n\r\n", 505),
    ("9110 15.6.6 HTTP/1.2", "GET /status HTTP/1.2\r\nhost: a\r\n\r\n", 505),
    ("9110 15.6.6 HTTP/2.0", "GET /status HTTP/2.0\r\nhost: a\r\n\r\n", 505),
    ("9113 3.4 preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("9110 15.6.6 HTTP/9.9", "GET /status HTTP/9.9\r\nhost: a\r\n\r\n", 505),
    // Fields.
    ("5.1 space before the colon", "GET /status HTTP/1.1\r\nhost : a\r\n\r\n", 400),
    ("5.1 tab before the colon", "GET /status HTTP/1.1\r\nhost\t: a\r\n\r\n", 400),
    ("5.1 space before the colon of a length", "GET /status HTTP/1.1\r\nhost: a\r\ncontent-length : 1\r\n\r\n", 400),
    ("5 no colon", "GET /status HTTP/1.1\r\nhost: a\r\nabc\r\n\r\n", 400),
    ("5 no name", "GET /status HTTP/1.1\r\nhost: a\r\n: b\r\n\r\n", 400),
    ("5.1 space in a name", "GET /status HTTP/1.1\r\nhost: a\r\na b: c\r\n\r\n", 400),
    ("5.1 NUL in a name", "GET /status HTTP/1.1\r\nhost: a\r\na\0b: c\r\n\r\n", 400),
    ("5.1 bracket in a name", "GET /status HTTP/1.1\r\nhost: a\r\na(b: c\r\n\r\n", 400),
    ("5.1 letters beyond ASCII in a name", "GET /status HTTP/1.1\r\nhost: a\r\nä: c\r\n\r\n", 400),
    ("5.2 folded field", "GET /status HTTP/1.1\r\nhost: a\r\nx: a\r\n b\r\n\r\n", 400),
    ("5.2 folded field with a tab", "GET /status HTTP/1.1\r\nhost: a\r\nx: a\r\n\tb\r\n\r\n", 400),
    ("5.2 folded Host", "GET /status HTTP/1.1\r\nhost:\r\n a\r\n\r\n", 400),
    ("5.2 folded Transfer-Encoding", "GET /status HTTP/1.1\r\nhost: a\r\ntransfer-encoding:\r\n chunked\r\n\r\n", 400),
    ("9110 5.5 NUL in a value", "GET /status HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n", 400),
    ("9110 5.5 control character in a value", "GET /status HTTP/1.1\r\nhost: a\r\nx: a\u{8}b\r\n\r\n", 400),
    ("9110 5.5 DEL in a value", "GET /status HTTP/1.1\r\nhost: a\r\nx: a\u{7f}b\r\n\r\n", 400),
    // Host.
    ("3.2 no Host", "GET /status HTTP/1.1\r\n\r\n", 400),
    ("3.2 no Host with an absolute target", "GET http://a/status HTTP/1.1\r\n\r\n", 400),
    ("3.2 two Hosts", "GET /status HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
    ("3.2 the same Host twice", "GET /status HTTP/1.1\r\nhost: a\r\nHOST: a\r\n\r\n", 400),
    ("3.2 two Hosts in HTTP/1.0", "GET /status HTTP/1.0\r\nhost: a\r\nhost: b\r\n\r\n", 400),
    ("3.2 empty Host", "GET /status HTTP/1.1\r\nhost:\r\n\r\n", 400),
    ("3.2 a list of Hosts", "GET /status HTTP/1.1\r\nhost: a, b\r\n\r\n", 400),
    ("3.2 Host with a path", "GET /status HTTP/1.1\r\nhost: a/b\r\n\r\n", 400),
    ("3.2 Host with user information", "GET /status HTTP/1.1\r\nhost: u@a\r\n\r\n", 400),
    ("3.2 port of Host is no number", "GET /status HTTP/1.1\r\nhost: a:b\r\n\r\n", 400),
    ("3.2 port of Host is too large", "GET /status HTTP/1.1\r\nhost: a:65536\r\n\r\n", 400),
    ("3.2 port of Host is signed", "GET /status HTTP/1.1\r\nhost: a:+80\r\n\r\n", 400),
    ("3.2 port without a Host", "GET /status HTTP/1.1\r\nhost: :80\r\n\r\n", 400),
    ("3.2 bracket that does not close", "GET /status HTTP/1.1\r\nhost: [::1\r\n\r\n", 400),
    ("3.2 brackets around no address", "GET /status HTTP/1.1\r\nhost: [a]\r\n\r\n", 400),
    ("3.2 letters beyond ASCII in Host", "GET /status HTTP/1.1\r\nhost: ä\r\n\r\n", 400),
    // Framing.
    ("6.3 length and coding", "GET /status HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("6.3 coding and length", "GET /status HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n", 400),
    ("6.3 coding and a length of zero", "GET /status HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n0\r\n\r\n", 400),
    ("6.3 two lengths", "GET /status HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\ncontent-length: 1\r\n\r\n", 400),
    ("6.3 the same length twice", "GET /status HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\ncontent-length: 0\r\n\r\n", 400),
    ("6.3 a list of lengths", "GET /status HTTP/1.1\r\nhost: a\r\ncontent-length: 0, 0\r\n\r\n", 400),
    ("6.3 length with a plus", "GET /status HTTP/1.1\r\nhost: a\r\ncontent-length: +0\r\n\r\n", 400),
    ("6.3 length with a minus", "GET /status HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n", 400),
    ("6.3 length in hexadecimal", "GET /status HTTP/1.1\r\nhost: a\r\ncontent-length: 0x0\r\n\r\n", 400),
    ("6.3 length with a point", "GET /status HTTP/1.1\r\nhost: a\r\ncontent-length: 0.0\r\n\r\n", 400),
    ("6.3 length with a space inside", "GET /status HTTP/1.1\r\nhost: a\r\ncontent-length: 0 0\r\n\r\n", 400),
    ("6.3 length in quotes", "GET /status HTTP/1.1\r\nhost: a\r\ncontent-length: \"0\"\r\n\r\n", 400),
    ("6.3 empty length", "GET /status HTTP/1.1\r\nhost: a\r\ncontent-length:\r\n\r\n", 400),
    ("6.3 length beyond ASCII", "GET /status HTTP/1.1\r\nhost: a\r\ncontent-length: \u{660}\r\n\r\n", 400),
    ("6.3 length of 2^64", "GET /status HTTP/1.1\r\nhost: a\r\ncontent-length: 18446744073709551616\r\n\r\n", 400),
    ("6.3 length of 2^64 - 1", "GET /status HTTP/1.1\r\nhost: a\r\ncontent-length: 18446744073709551615\r\n\r\n", 400),
    ("6.1 chunked in HTTP/1.0", "GET /status HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("6.3 last coding is not chunked", "GET /status HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n", 400),
    ("6.3 chunked is not the last", "GET /status HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, gzip\r\n\r\n", 400),
    ("6.3 chunked and identity", "GET /status HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, identity\r\n\r\n", 400),
    ("6.3 identity", "GET /status HTTP/1.1\r\nhost: a\r\ntransfer-encoding: identity\r\n\r\n", 400),
    ("6.1 chunked twice", "GET /status HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
    ("6.1 two fields of chunked", "GET /status HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("6.1 another coding before chunked", "GET /status HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    ("6.1 almost chunked", "GET /status HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
    ("7 chunked with a parameter", "GET /status HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked;a=b\r\n\r\n0\r\n\r\n", 400),
    ("6.1 chunked in quotes", "GET /status HTTP/1.1\r\nhost: a\r\ntransfer-encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 400),
    ("6.1 empty coding", "GET /status HTTP/1.1\r\nhost: a\r\ntransfer-encoding:\r\n\r\n0\r\n\r\n", 400),
];

/// The clause of RFC 9112, and a chunked body that is none.
#[rustfmt::skip]
const BODIES: &[(&str, &str)] = &[
    ("7.1 size is no number", "x\r\na\r\n0\r\n\r\n"),
    ("7.1 size with 0x", "0x1\r\na\r\n0\r\n\r\n"),
    ("7.1 size with a plus", "+1\r\na\r\n0\r\n\r\n"),
    ("7.1 size with a minus", "-1\r\na\r\n0\r\n\r\n"),
    ("7.1 no size", "\r\na\r\n0\r\n\r\n"),
    ("7.1 space before the size", " 1\r\na\r\n0\r\n\r\n"),
    ("7.1 size of 2^64", "10000000000000000\r\na\r\n0\r\n\r\n"),
    ("7.1 size larger than the chunk", "2\r\na\r\n0\r\n\r\n"),
    ("7.1 size smaller than the chunk", "1\r\nab\r\n0\r\n\r\n"),
    ("7.1 bare LF after the size", "1\na\r\n0\r\n\r\n"),
    ("7.1 bare CR after the size", "1\ra\r\n0\r\n\r\n"),
    ("7.1 bare LF after the chunk", "1\r\na\n0\r\n\r\n"),
    ("7.1 nothing after the chunk", "1\r\na0\r\n\r\n"),
    ("7.1 bare LF after the last size", "1\r\na\r\n0\n\r\n"),
    ("7.1.1 bare LF in an extension", "1;a\nb\r\na\r\n0\r\n\r\n"),
    ("7.1.1 bare CR in an extension", "1;a\rb\r\na\r\n0\r\n\r\n"),
    ("7.1.1 two words in place of an extension", "1 1\r\na\r\n0\r\n\r\n"),
    ("7.1.2 trailer without a colon", "1\r\na\r\n0\r\nabc\r\n\r\n"),
    ("7.1.2 bare CR in a trailer", "1\r\na\r\n0\r\na: b\rc\r\n\r\n"),
];

#[test]
fn the_table_is_as_long_as_it_says() {
    let clauses: HashSet<_> = HEADS.iter().map(|(clause, ..)| clause).collect();
    assert_eq!(clauses.len(), HEADS.len(), "a clause stands twice");
    assert!(HEADS.len() + BODIES.len() >= 80);
}

#[test]
fn half_a_head_is_no_head() {
    assert_eq!(head::end(b"GET / HTTP/1.1\r\n", 0), Ok(None));
    assert!(head::examine(b"GET / HTTP/1.1\r\n").is_err());
}

#[test]
fn what_is_no_request_is_refused() {
    let service = Service::start();
    for (clause, head, status) in HEADS {
        refused(&service, clause, &format!("{head}{SMUGGLED}"), *status);
    }
    service.finish();
}

#[test]
fn what_is_no_chunked_body_is_refused() {
    let service = Service::start();
    let head = "POST /status HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    for (clause, body) in BODIES {
        refused(&service, clause, &format!("{head}{body}{SMUGGLED}"), 400);
    }
    let cut = "POST /status HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n1";
    let mut stream = service.connect();
    stream.write_all(cut.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    Response::parse(&support::read_to_close(&mut stream)).assert_problem(400);
    service.finish();
}

/// One problem, the connection closed, and nothing else.
fn refused(service: &Service, clause: &str, request: &str, status: u16) {
    let answer = service.send(request);
    assert_eq!(answer.status, status, "{clause}: {answer:?}");
    answer.assert_problem(status);
    assert_eq!(answer.header("connection"), "close", "{clause}");
    assert_eq!(
        answer.header("content-length"),
        answer.body.len().to_string(),
        "{clause}"
    );
}

#[test]
fn what_is_unusual_but_right_is_answered() {
    let service = Service::start();
    for request in [
        "\r\n\r\nGET /status HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        "GET /status HTTP/1.1\r\nHOST:a\r\nConnection:close\r\n\r\n",
        "GET /status HTTP/1.1\r\nhost: \t a \t \r\nconnection: close\r\n\r\n",
        "GET /status HTTP/1.1\r\nhost: a\r\nx:\r\ny: \u{fc}\r\nconnection: close\r\n\r\n",
        "GET /status HTTP/1.1\r\nhost: [::1]:80\r\nconnection: close\r\n\r\n",
        "GET /status HTTP/1.1\r\nhost: a:\r\nconnection: close\r\n\r\n",
        "GET /status?a=%00&b='{}|^ HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        "GET HTTPS://a/status HTTP/1.1\r\nhost: b\r\nconnection: close\r\n\r\n",
        "GET /status HTTP/1.1\r\nhost: a\r\ncontent-length: 000\r\nconnection: close\r\n\r\n",
        "GET /status HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\n1",
        "GET /status HTTP/1.1\r\nhost: a\r\ntransfer-encoding: CHUNKED\r\n\r\n01 ; a=\"b\"\r\na\r\n0\r\nx: y\r\n\r\n",
        "GET /status HTTP/1.0\r\n\r\n",
        "GET /status HTTP/1.0\r\nhost: a\r\n\r\n",
        "GET /status HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n",
        "GET /status HTTP/1.1\r\nhost: a\r\nupgrade: h2c\r\nconnection: upgrade, close\r\n\r\n",
    ] {
        let answer = service.send(request);
        assert_eq!(answer.status, 200, "{request:?}: {answer:?}");
    }
    let options = service.send("OPTIONS * HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    options.assert_problem(404);
    service.finish();
}
