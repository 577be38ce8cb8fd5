//! `incoming-request`, `incoming-body` and `future-trailers`.

use super::pair::Pair;
use super::request::TestRequest;
use super::{Row, assert_scripts_agree};

#[rustfmt::skip]
const REQUESTS: [Row; 6] = [
    ("request.method; request.path; request.scheme; request.authority", r#"authority: Some("example.org:8080")"#),
    ("request.consume; request.consume; incoming.stream 0; incoming.stream 0", "stream 0: Err(())"),
    ("request.headers; request.headers; fields.drop 0; request.drop; fields.entries 0; request.method",
     "no such resource"),
    ("request.consume; request.drop; incoming.stream 0; input.read 0 9", "01234567"),
    ("request.consume; incoming.drop 0; request.consume", "consume: Err(())"),
    ("leak", "failure no_response"),
];

#[rustfmt::skip]
const TRAILERS: [Row; 7] = [
    ("request.consume; incoming.finish 0; trailers.wait 0; trailers.get 0; trailers.wait 0", "get 0: Some(Err(()))"),
    ("request.consume; incoming.stream 0; input.drop 0; incoming.finish 0; trailers.wait 0", "Some(Ok(Ok(None)))"),
    ("request.consume; incoming.stream 0; input.read 0 100; input.drop 0; incoming.finish 0; trailers.wait 0",
     "Some(Ok(Ok(None)))"),
    ("request.consume; incoming.finish 0; trailers.subscribe 0; poll.block 0; poll.ready 0; trailers.get 0; \
      poll.ready 0", "ready 0: true"),
    ("request.consume; incoming.finish 0; trailers.drop 0; incoming.finish 0", "no such resource"),
    ("request.consume; incoming.stream 0; incoming.finish 0", "failure trap"),
    ("request.consume; incoming.finish 0; trailers.subscribe 0; trailers.drop 0", "failure trap"),
];

#[rustfmt::skip]
const READS: [Row; 12] = [
    ("request.consume; incoming.stream 0; input.read 0 4; input.read 0 4; input.read 0 4; input.read 0 4", "closed"),
    ("request.consume; incoming.stream 0; input.read 0 0; input.blocking-read 0 0; input.read 0 10; input.read 0 0; \
      input.blocking-read 0 0", "closed"),
    ("request.consume; incoming.stream 0; input.read 0 18446744073709551615; input.blocking-read 0 1", "0123456789"),
    ("request.consume; incoming.stream 0; input.blocking-read 0 3; input.blocking-read 0 30; \
      input.blocking-read 0 1; input.read 0 1", "3456789"),
    ("request.consume; incoming.stream 0; input.skip 0 3; input.blocking-skip 0 2; input.read 0 1; input.skip 0 99; \
      input.skip 0 1; input.blocking-skip 0 1", "skip 0 99: 4"),
    ("request.consume; incoming.stream 0; input.skip 0 0; input.blocking-skip 0 0; input.skip 0 10; input.skip 0 0",
     "closed"),
    ("request.consume; incoming.stream 0; input.subscribe 0; poll.ready 0; poll.block 0; input.read 0 99; \
      poll.ready 0; input.read 0 1; poll.block 0", "ready 0: true"),
    ("request.consume; incoming.stream 0; input.read 0 5; input.drop 0; incoming.stream 0; incoming.drop 0",
     "stream 0: Err(())"),
    ("request.consume; incoming.stream 0; incoming.drop 0", "failure trap"),
    ("request.consume; incoming.stream 0; input.subscribe 0; input.drop 0", "failure trap"),
    ("request.consume; incoming.stream 0; input.subscribe 0; poll.drop 0; input.drop 0; incoming.drop 0",
     "drop 0: dropped"),
    ("request.consume; incoming.stream 0; request.drop; input.read 0 1; leak", "failure no_response"),
];

#[test]
fn requests_agree() {
    assert_scripts_agree(b"0123456789", &REQUESTS);
}

#[test]
fn trailers_agree() {
    assert_scripts_agree(b"0123456789", &TRAILERS);
    assert_scripts_agree(b"", &TRAILERS);
}

#[test]
fn reads_agree() {
    assert_scripts_agree(b"0123456789", &READS);
}

#[test]
fn empty_bodies_agree() {
    let rows: Vec<_> = READS.iter().map(|(script, _)| (*script, "")).collect();
    assert_scripts_agree(b"", &rows);
}

const HEAD: &str = "request.method; request.path; request.authority; request.headers; fields.entries 0; fields.get 0 a";

#[test]
fn heads_agree() {
    let pair = Pair::probe();
    for method in [
        "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "BREW", "get",
    ] {
        pair.assert_agree(&TestRequest::script(HEAD).with_method(method), "200");
    }
    let headers = [
        ("a", "1"),
        ("A", ""),
        ("connection", "keep-alive, upgrade"),
        ("upgrade", "b"),
        ("a", "2"),
    ];
    let request = TestRequest::script(HEAD).with_headers(&headers);
    pair.assert_agree(&request, r#"entries 0: ["a=1", "a=", "a=2"]"#);
    // An authority in the target takes precedence over the header.
    let target = TestRequest::script(HEAD).in_absolute_form("other.example:1");
    pair.assert_agree(&target, r#"authority: Some("other.example:1")"#);
}
