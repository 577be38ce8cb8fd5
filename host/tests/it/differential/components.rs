//! The embedded component, and the behaviours of the probe that do not depend on a script.

use super::pair::{PROBE, Pair, request};
use crate::guests::{LIMITS, sandbox};
use crate::support::component::portable_component;

static BODY: &[u8] = &[b'x'; 100_000];

#[test]
fn embedded_component_agrees() {
    let portable = std::fs::read(portable_component()).unwrap();
    let pair = Pair::new(sandbox(None, LIMITS), &portable);
    for (method, target, fragment) in [
        ("GET", "/status", r#""version":"1.2.3","lastcommitsha":"0123abcd""#),
        ("HEAD", "/status", "content-length: "),
        ("GET", "/status?a=b", "200\n"),
        ("POST", "/status", "405\n"),
        ("BREW", "/status", "405\n"),
        ("HEAD", "/", "404\n"),
        ("GET", "/status/", "404\n"),
        ("GET", "/%00", "404\n"),
        ("OPTIONS", "*", "404\n"),
        ("CONNECT", "example.org:80", "404\n"),
        ("GET", "http://example.org/status", "200\n"),
    ] {
        pair.assert_agree(&request(method, target, b""), fragment);
    }
    pair.assert_agree(&request("POST", "/status", BODY), "405\n");
}

/// Every path of the probe that ends without a limit on time.
const PATHS: [(&str, &str); 12] = [
    ("/environment", "200\n\nAPP_VERSION=1.2.3\nCOMMIT_SHA=0123abcd\n"),
    ("/count", "200\n\n1"),
    ("/trap", "failure trap"),
    ("/trap-after-response", "failure trap"),
    ("/answer-twice", "failure trap"),
    ("/recurse", "failure trap"),
    ("/leak", "failure limit"),
    ("/long-call", "failure trap"),
    ("/silent", "failure no_response"),
    ("/error", "as asked"),
    ("/long-error", "failure error"),
    ("/short-body", "its body is incomplete"),
];

#[test]
fn probe_agrees() {
    for (path, fragment) in PATHS {
        PROBE.assert_agree(&request("POST", path, b"!"), fragment);
    }
    PROBE.assert_agree(&request("GET", "/mebibyte", b""), "200\n\nx");
    PROBE.assert_agree(&request("GET", "/other?a=b", b""), "200\n\n/other?a=b");
}
