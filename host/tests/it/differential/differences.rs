//! Deliberate differences from `wasmtime-wasi-http`. Each has its reason.

use http::HeaderValue;
use status_host::sandbox::{LoadError, Sandbox};

use super::modules::{ALLOCATION, module};
use super::pair::{PROBE, script};
use crate::guests::{LIMITS, environment, load_bytes};
use crate::support::component::component;

/// A script, a fragment of the outcome here, one of the outcome on the stock implementation, and the reason.
type Difference = (&'static str, &'static str, &'static str, &'static str);

/// The request body of each script.
const BODY: &[u8] = &[b'b'; 200_000];

#[rustfmt::skip]
const DIFFERENCES: [Difference; 4] = [
    (
        "request.consume; incoming.finish 0; trailers.get 0",
        "get 0: Some(Ok(Ok(None)))", "get 0: None",
        "the request is whole, so that its trailers need no `subscribe`",
    ),
    (
        "request.consume; incoming.stream 0; input.read 0 200000",
        "read 0 200000: \"65536 bytes", "read 0 200000: \"200000 bytes",
        "one call copies at most 64 KiB, so that its time is bounded",
    ),
    (
        "fields.from-list content-length=1; response.new 0; response.body 0; body.write 0; output.write 0 2; \
         error.text 0",
        "the body has 2 bytes, more than its content-length", "HttpResponseBodySize",
        "WASI leaves the text open; this one is for people",
    ),
    (
        "request.consume; incoming.stream 0; input.subscribe 0; fields.new; response.new 0; \
         response.body 0; body.write 0; output.subscribe 0; poll.order 1 0",
        "order 1 0: [0, 1]", "order 1 0: [1, 0]",
        "WASI leaves the order open; this one is that of the arguments",
    ),
];

#[test]
fn differences_have_a_reason() {
    for (operations, own, stock, reason) in DIFFERENCES {
        let request = script(operations, BODY);
        let (own_outcome, stock_outcome) = (PROBE.own(&request), PROBE.stock(&request));
        assert_ne!(own_outcome, stock_outcome, "no longer a difference: {reason}");
        assert!(own_outcome.contains(own), "no `{own}` in {own_outcome}");
        assert!(stock_outcome.contains(stock), "no `{stock}` in {stock_outcome}");
    }
}

#[test]
fn order_of_request_headers_is_that_of_the_client() {
    let mut request = script("request.headers; fields.entries 0", b"");
    for (name, value) in [("a", "1"), ("b", "2"), ("connection", "close"), ("c", "3"), ("d", "4")] {
        request.headers_mut().append(name, HeaderValue::from_static(value));
    }
    // WASI leaves the order open; this one does not depend on the headers that a guest cannot see.
    let own = PROBE.own(&request);
    assert!(own.contains(r#"["a=1", "b=2", "c=3", "d=4"]"#), "{own}");
    assert!(PROBE.stock(&request).contains(r#"["d=4", "a=1""#));
}

#[test]
fn limits_end_the_guest() {
    let many = |operation: &str, count| format!("{operation}; ").repeat(count);
    let fields: Vec<_> = (0..101)
        .map(|number| format!("fields.append 0 x-{number} y; "))
        .collect();
    let response = "fields.new; response.new 0; response.body 0; body.write 0; ";
    let mebibyte = many("output.write 0 65536", 16);
    for operations in [
        // The request and the place of its response are two more.
        many("fields.new", 99),
        format!("fields.new; {}", fields.concat()),
        format!("fields.from-list a={}", "a".repeat(16 * 1024)),
        // The bodies of all responses count, also of those that were dropped.
        format!("{response}{mebibyte}output.write 0 1"),
        format!("{response}{mebibyte}output.drop 0; body.drop 0; response.drop 0; {response}output.write 0 1"),
        many(
            "fields.new; response.new 0; response.body 0; body.drop 0; response.drop 0",
            101,
        ),
    ] {
        assert_eq!(PROBE.own(&script(&operations, b"")), "failure limit", "{operations}");
    }
    // What fits is not ended.
    let fits = [
        many("fields.new", 90),
        format!("fields.from-list a={}", "a".repeat(16 * 1024 - 1)),
        format!("{response}{}", many("output.write 0 65536", 15)),
    ];
    for operations in fits {
        let outcome = PROBE.own(&script(&operations, b""));
        assert!(outcome.starts_with("200\n"), "{outcome}");
    }
}

#[test]
fn functions_of_clients_are_refused() {
    for (name, ty) in [
        ("[constructor]outgoing-request", "(param i32) (result i32)"),
        ("[constructor]request-options", "(result i32)"),
        ("[method]future-incoming-response.get", "(param i32 i32)"),
    ] {
        let import = format!(r#"(module (import "wasi:http/types@0.2.12" "{name}" (func {ty})) "#);
        let component = component(&module("", ALLOCATION).replacen("(module", &import, 1));
        let error = Sandbox::new(&load_bytes(&component, LIMITS).unwrap(), environment(), LIMITS).err();
        let error = error.expect("it needs a function that is missing");
        assert!(matches!(error, LoadError::Link(..)), "{error}");
        assert!(
            error.to_string().contains("resource implementation is missing"),
            "{name}: {error}"
        );
    }
}

#[test]
fn request_without_host_has_no_authority() {
    // The stock implementation cannot pass such a request to a guest. The server rejects it before.
    let mut request = script("request.authority", b"");
    request.headers_mut().clear();
    let outcome = PROBE.own(&request);
    assert!(outcome.contains("request.authority: None"), "{outcome}");
}
