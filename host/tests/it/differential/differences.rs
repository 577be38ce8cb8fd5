//! Deliberate differences from `wasmtime-wasi-http`. Each has its reason.

use status_host::sandbox::LoadError;

use super::modules::{ALLOCATION, module};
use super::pair::{Pair, load_error};
use super::request::TestRequest;
use crate::support::component::component;

/// A script, a fragment of the outcome here, one of the outcome on the stock implementation, and the reason.
type Difference = (&'static str, &'static str, &'static str, &'static str);

/// The request body of each script.
const BODY: &[u8] = &[b'b'; 200_000];

/// A response whose body is output 0, and which is not set.
const UNSET: &str = "fields.new; response.new 0; response.body 0; body.write 0; ";

#[rustfmt::skip]
const DIFFERENCES: [Difference; 4] = [
    (
        "request.consume; incoming.finish 0; trailers.get 0",
        "get 0: Some(Ok(Ok(None)))", "get 0: None",
        "the request is whole, so that its trailers need no `subscribe`",
    ),
    (
        "request.consume; incoming.stream 0; input.read 0 200000; input.blocking-read 0 200000",
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

#[track_caller]
fn assert_differs(pair: &Pair, request: &TestRequest, own: &str, stock: &str, reason: &str) {
    let outcomes = (pair.own(request).to_string(), pair.stock(request).to_string());
    assert_ne!(outcomes.0, outcomes.1, "no longer a difference: {reason}");
    assert!(outcomes.0.contains(own), "no `{own}` in {}", outcomes.0);
    assert!(outcomes.1.contains(stock), "no `{stock}` in {}", outcomes.1);
}

#[test]
fn open_questions_of_wasi_have_an_answer() {
    let pair = Pair::probe();
    for (script, own, stock, reason) in DIFFERENCES {
        let request = TestRequest::script(script).with_body(BODY);
        assert_differs(&pair, &request, own, stock, reason);
    }
}

#[test]
fn headers_keep_the_order_of_the_request() {
    let request = TestRequest::script("request.headers; fields.entries 0");
    let request = request.with_headers(&[("a", "1"), ("b", "2"), ("connection", "close"), ("c", "3"), ("d", "4")]);
    let reason = "WASI leaves the order open; this one does not depend on the headers that a guest cannot see";
    let own = r#"["a=1", "b=2", "c=3", "d=4"]"#;
    assert_differs(&Pair::probe(), &request, own, r#"["d=4", "a=1""#, reason);
}

#[test]
fn limits_apply_in_total() {
    let pair = Pair::probe();
    let mebibyte = "output.write 0 65536; ".repeat(16);
    let body = |response| {
        let open = format!("fields.new; response.new 0; response.body {response}; body.write 0; ");
        format!("{open}{mebibyte}output.drop 0; body.drop 0; ")
    };
    let many_fields: Vec<_> = (0..600).map(|n| format!("fields.append 0 x-{n} y")).collect();
    for (script, own, reason) in [
        (
            format!("{UNSET}{mebibyte} output.write 0 1"),
            "larger than 1048576 bytes",
            "a body counts whether or not its response is set",
        ),
        (
            (0..9).map(body).collect(),
            "failure host_memory",
            "all bodies together count against --max-memory",
        ),
        (
            format!("fields.new; {}", many_fields.join("; ")),
            "failure limit",
            "a list of headers counts with its place in the table",
        ),
    ] {
        assert_differs(&pair, &TestRequest::script(&script), own, "200\n", reason);
    }
    let request = TestRequest::new("GET", "/thousand-headers");
    let reason = "as for 600 headers, which are too many in any case";
    assert_differs(&pair, &request, "failure limit", "failure invalid_response", reason);
}

#[test]
fn large_list_of_headers_is_a_limit() {
    let append = "(call $append (local.get 2) (i32.const 0) (i32.const 1) (i32.const 4096) (i32.const 61440)
        (i32.const 1024))";
    let fill = "(memory.fill (i32.const 4096) (i32.const 97) (i32.const 61440))";
    let handle = format!("(local i32) {fill} (local.set 2 (call $fields)) {}", append.repeat(3));
    let pair = Pair::portable(&component(&module(&handle, ALLOCATION)));
    let reason = "the log and the metrics name the limit";
    let request = TestRequest::new("GET", "/");
    assert_differs(&pair, &request, "failure limit", "failure trap", reason);
}

/// Functions that the stock implementation provides and this project does not, with their types.
const FUNCTIONS: [(&str, &str); 4] = [
    ("[constructor]outgoing-request", "(param i32) (result i32)"),
    ("[method]outgoing-request.method", "(param i32 i32)"),
    ("[constructor]request-options", "(result i32)"),
    ("[method]future-incoming-response.get", "(param i32 i32)"),
];

#[test]
fn functions_of_clients_are_not_offered() {
    for (name, ty) in FUNCTIONS {
        let import = format!(r#"(module (import "wasi:http/types@0.2.12" "{name}" (func {ty})) "#);
        let component = component(&module("", ALLOCATION).replacen("(module", &import, 1));
        let error = load_error(&component);
        let expected = [format!("wasi:http/types@0.2.12#{name}")];
        assert!(
            matches!(&error, LoadError::Functions(_, names) if *names == expected),
            "{error}"
        );
    }
}

#[test]
fn request_without_host_has_no_authority() {
    // The stock implementation cannot pass such a request to a guest. The server rejects it before.
    let request = TestRequest::script("request.authority").without_headers();
    let outcome = Pair::probe().own(&request).to_string();
    assert!(outcome.contains("request.authority: None"), "{outcome}");
}
