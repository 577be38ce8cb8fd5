//! Deliberate differences from `wasmtime-wasi-http`. Each has its reason.

use super::pair::{PROBE, script};

/// A script, a fragment of the outcome here, one of the outcome on the stock implementation, and the reason.
type Difference = (&'static str, &'static str, &'static str, &'static str);

/// The request body of each script.
const BODY: &[u8] = &[b'b'; 200_000];

#[rustfmt::skip]
const DIFFERENCES: [Difference; 3] = [
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
fn guest_beyond_a_limit_ends() {
    const MAX_RESOURCES: usize = 100;
    const MAX_FIELDS: usize = 100;
    const MAX_FIELDS_BYTES: usize = 16 * 1024;
    /// Bytes of one write, and writes that a body limit of 1 MiB allows.
    const WRITE: &str = "output.write 0 65536; ";
    const MAX_WRITES: usize = 16;
    /// The request, the place of its response, and the response of the transcript with its body and stream.
    const OTHERS: usize = 5;
    let append = |number| format!("fields.append 0 x-{number} y; ");
    let lists = |count| "fields.new; ".repeat(count);
    let fields = |count| format!("fields.new; {}", (0..count).map(append).collect::<String>());
    let bytes = |count: usize| format!("fields.from-list a={}", "a".repeat(count - 1));
    let open = "fields.new; response.new 0; response.body 0; body.write 0; ";
    let body = format!("{open}{}", WRITE.repeat(MAX_WRITES));
    let drop_body = "output.drop 0; body.drop 0; response.drop 0; ";
    for fits in [
        lists(MAX_RESOURCES - OTHERS),
        fields(MAX_FIELDS),
        bytes(MAX_FIELDS_BYTES),
        // The transcript is another one.
        format!("{open}{}", WRITE.repeat(MAX_WRITES - 1)),
    ] {
        let outcome = PROBE.own(&script(&fits, b""));
        assert!(outcome.starts_with("200\n"), "{outcome}");
    }
    for exceeds in [
        lists(MAX_RESOURCES),
        fields(MAX_FIELDS + 1),
        bytes(MAX_FIELDS_BYTES + 1),
        // The bodies of all responses count, also of those that were dropped.
        format!("{body}output.write 0 1"),
        format!("{body}{drop_body}{open}output.write 0 1"),
        format!("{open}{drop_body}").repeat(MAX_RESOURCES + 1),
    ] {
        assert_eq!(PROBE.own(&script(&exceeds, b"")), "failure limit", "{exceeds}");
    }
}
