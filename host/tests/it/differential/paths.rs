//! The embedded component, and the behaviours of the probe that do not depend on a script.

use super::pair::Pair;
use super::request::TestRequest;

static BODY: &[u8] = &[b'x'; 100_000];

#[test]
fn embedded_component_agrees() {
    let pair = Pair::embedded();
    for (method, target, fragment) in [
        ("GET", "/status", r#""version":"1.2.3","lastcommitsha":"0123abcd""#),
        ("HEAD", "/status", "content-length: "),
        ("GET", "/status?a=b", "200\n"),
        ("POST", "/status", "405\n"),
        ("DELETE", "/status", "405\n"),
        ("BREW", "/status", "405\n"),
        ("GET", "/", "404\n"),
        ("HEAD", "/", "404\n"),
        ("GET", "/status/", "404\n"),
        ("GET", "/%00", "404\n"),
        ("OPTIONS", "*", "4"),
        ("CONNECT", "example.org:80", "4"),
        ("GET", "http://example.org/status", "200\n"),
    ] {
        pair.assert_agree(&TestRequest::new(method, target), fragment);
    }
    let request = TestRequest::new("POST", "/status").with_body(BODY);
    pair.assert_agree(&request, "405\n");
}

/// Every path of the probe that ends by itself and on which both agree.
const PATHS: [(&str, &str); 25] = [
    ("/environment", "200\n\nAPP_VERSION=1.2.3\nCOMMIT_SHA=0123abcd\n"),
    ("/count", "200\n\n1"),
    ("/trap", "failure trap"),
    ("/trap-after-response", "failure trap"),
    ("/long-write", "failure trap"),
    ("/wait-for-body", "200\n\n!"),
    ("/answer-twice", "failure trap"),
    ("/allocate", "failure memory"),
    ("/recurse", "failure trap"),
    ("/leak", "failure limit"),
    ("/forbidden-headers", "200\n\n0 false"),
    ("/hundred-and-one-headers", "more than 100 headers"),
    ("/gigabyte", "larger than 1048576 bytes"),
    ("/long-call", "failure trap"),
    ("/silent", "failure no_response"),
    ("/error", "as asked"),
    ("/early-hints", "its status is not final"),
    ("/status-600", "its status is not final"),
    ("/no-content", "204\n\n"),
    ("/unfinished-body", "its body was not finished"),
    ("/dropped-body", "its body is incomplete"),
    ("/short-body", "its body is incomplete"),
    ("/lying-length", "its body was not finished"),
    ("/no-body-but-length", "its content-length is wrong"),
    ("/over-a-mebibyte", "larger than 1048576 bytes"),
];

#[test]
fn probe_agrees() {
    let pair = Pair::probe();
    for (path, fragment) in PATHS {
        pair.assert_agree(&TestRequest::new("POST", path).with_body(b"!"), fragment);
    }
    for path in ["/mebibyte", "/long-error", "/other?a=b"] {
        pair.assert_agree(&TestRequest::new("GET", path), "");
    }
    let head = TestRequest::new("HEAD", "/no-body-but-length");
    pair.assert_agree(&head, "200\ncontent-length: 8\n\n");
}
