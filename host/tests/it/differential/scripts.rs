//! Scripts for the probe, by resource.

use http::{HeaderValue, Method};

use super::pair::{PROBE, request, script};

/// A script for the probe, and a fragment of the outcome.
type Row = (&'static str, &'static str);

/// Checks that both implementations agree on every script.
#[track_caller]
fn assert_agree(rows: &[Row]) {
    for (operations, fragment) in rows {
        PROBE.assert_agree(&script(operations, b"0123456789"), fragment);
    }
}

#[rustfmt::skip]
const FIELDS: [Row; 12] = [
    ("fields.from-list a=1 b=2 a=3; fields.get 0 a; fields.entries 0", r#"["a=1", "a=3", "b=2"]"#),
    ("fields.from-list X-Name=V; fields.get 0 x-nAmE; fields.has 0 X-NAME; fields.entries 0", r#"["x-name=V"]"#),
    // An invalid name is the name of no field.
    ("fields.from-list a=1; fields.has 0 a%20b; fields.get 0 a%20b; fields.has 0 %25; fields.get 0 ; \
      fields.append 0  1", "has 0 a%20b: false"),
    ("fields.from-list a= b=%20c%20 d=%ff%80; fields.entries 0; fields.get 0 a", "d=\\\\xff\\\\x80"),
    ("fields.from-list a=1 a=2 b=3; fields.set 0 A 4 5 6; fields.entries 0", r#"["a=4", "a=5", "a=6", "b=3"]"#),
    ("fields.from-list a=1 b=2 c=3; fields.delete 0 a; fields.clone 0; fields.entries 1", r#"["c=3", "b=2"]"#),
    ("fields.from-list a=1; fields.set 0 a 2 x%0ay; fields.entries 0", r#"["a=1"]"#),
    ("fields.new; fields.append 0 a%00 1; fields.append 0 %c3%a4 1; fields.set 0 a: 1; fields.delete 0 a%20b",
     "InvalidSyntax"),
    ("fields.new; fields.append 0 a x%0d%0ab:%20c; fields.append 0 a %00; fields.append 0 a %7f; \
      fields.append 0 a %09", "append 0 a %09: Ok"),
    ("fields.new; fields.set 0 content-length 007; fields.entries 0; fields.set 0 content-length 8; fields.entries 0",
     "content-length=7"),
    ("fields.new; fields.set 0 content-length +5; fields.set 0 content-length -1; fields.set 0 content-length 5a; \
      fields.append 0 content-length ; fields.set 0 content-length 18446744073709551616", "InvalidSyntax"),
    ("fields.from-list content-length=1 Content-Length=1; fields.new; fields.append 0 content-length 5; \
      fields.append 0 content-length 5; fields.set 0 content-length 1 2; fields.entries 0", r#"["content-length=5"]"#),
];

#[test]
fn fields_agree() {
    assert_agree(&FIELDS);
}

#[test]
fn forbidden_headers_agree() {
    const NAMES: &str = "connection Host http2-settings keep-alive proxy-authenticate proxy-authorization \
        proxy-connection Transfer-Encoding upgrade";
    for name in NAMES.split(' ') {
        let operations = format!(
            "fields.from-list {name}=a; fields.new; fields.append 0 {name} %0a; fields.set 0 {name} a; \
             fields.delete 0 {name}; fields.has 0 {name}"
        );
        PROBE.assert_agree(&script(&operations, b""), "%0a: Err(HeaderError::Forbidden)");
    }
    PROBE.assert_agree(&script("fields.from-list te=a trailer=b; fields.has 0 te", b""), "true");
}

#[rustfmt::skip]
const IMMUTABLE: [Row; 4] = [
    ("request.headers; fields.append 0 a 1; fields.set 0 a 1; fields.delete 0 a; fields.clone 0; \
      fields.append 1 a 1; fields.entries 1", r#"entries 1: ["a=1"]"#),
    ("fields.from-list a=1; response.new 0; response.headers 0; fields.append 0 a 2; fields.clone 0; \
      fields.append 1 a 2; fields.entries 1", r#"["a=1", "a=2"]"#),
    // The name and the value decide before the state; two lengths in one `set` do not.
    ("request.headers; fields.append 0 host 1; fields.append 0 a %0a; fields.set 0 a %0a; fields.delete 0 %20",
     "host 1: Err(HeaderError::Forbidden)"),
    ("request.headers; fields.set 0 content-length 1 2; response.new 0; response.headers 0; fields.set 0 a 1",
     "Immutable"),
];

#[test]
fn immutable_fields_agree() {
    assert_agree(&IMMUTABLE);
}

#[rustfmt::skip]
const REQUESTS: [Row; 9] = [
    ("request.method; request.path; request.scheme; request.authority", r#"authority: Some("example.org:8080")"#),
    ("request.consume; request.consume; request.drop; incoming.stream 0; incoming.stream 0; input.read 0 9", "012345678"),
    ("request.consume; incoming.finish 0; trailers.subscribe 0; poll.block 0; trailers.get 0; trailers.get 0",
     "get 0: Some(Err(()))"),
    ("request.consume; incoming.stream 0; incoming.finish 0", "failure trap"),
    ("request.consume; incoming.stream 0; input.subscribe 0; input.drop 0", "failure trap"),
    ("request.consume; incoming.finish 0; trailers.subscribe 0; trailers.drop 0", "failure trap"),
    ("request.consume; incoming.stream 0; input.read 0 0; input.blocking-read 0 0; input.read 0 10; input.read 0 0; \
      input.blocking-read 0 0", "closed"),
    ("request.consume; incoming.stream 0; input.subscribe 0; poll.ready 0; poll.block 0; input.read 0 99; \
      poll.ready 0; input.read 0 1; poll.block 0", "ready 0: true"),
    ("leak", "failure no_response"),
];

#[test]
fn requests_agree() {
    assert_agree(&REQUESTS);
}

#[test]
fn request_heads_agree() {
    const HEAD: &str = "request.authority; request.method; request.headers; fields.entries 0; fields.get 0 a";
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "BREW"] {
        let mut request = script(HEAD, b"");
        *request.method_mut() = method.parse().unwrap();
        PROBE.assert_agree(&request, "200\n");
    }
    let mut request = script(HEAD, b"");
    for (name, value) in [
        ("a", "1"),
        ("a", ""),
        ("connection", "upgrade"),
        ("upgrade", "b"),
        ("a", "2"),
    ] {
        request.headers_mut().append(name, HeaderValue::from_static(value));
    }
    PROBE.assert_agree(&request, r#"entries 0: ["a=1", "a=", "a=2"]"#);
    // An authority in the target takes precedence over the header.
    *request.uri_mut() = "http://other.example:1/script/request.authority".parse().unwrap();
    PROBE.assert_agree(&request, r#"authority: Some("other.example:1")"#);
}

#[rustfmt::skip]
const RESPONSES: [Row; 17] = [
    ("fields.from-list a=1 a=2 b=3; response.new 0; response.set 0", "200\na: 1\na: 2\nb: 3\n\n"),
    ("fields.new; response.new 0; response.status 0; response.set-status 0 99; response.set-status 0 1000; \
      response.set-status 0 404; response.set 0", "404"),
    ("fields.new; response.new 0; response.set-status 0 101; response.set 0", "its status is not final"),
    ("out.error", r#"failure error: the component returned the error ErrorCode::InternalError(Some("reason"))"#),
    ("fields.from-list t=1; fields.new; response.new 1; response.body 0; response.set 0; \
      body.finish-with-trailers 0", "200\n\n"),
    ("fields.new; response.new 0; response.body 0; response.set 0; body.drop 0", "its body is incomplete"),
    ("fields.new; response.new 0; response.body 0; response.set 0; leak", "failure invalid_response"),
    ("fields.from-list content-length=5; response.new 0; response.body 0; response.set 0; body.write 0; \
      output.write 0 5; output.drop 0; body.finish 0", "content-length: 5\n\nxxxxx"),
    ("fields.from-list content-length=5; response.new 0; response.body 0; body.write 0; output.write 0 4; \
      output.drop 0; body.finish 0", "Err(ErrorCode::HttpResponseBodySize(Some(4)))"),
    ("fields.from-list content-length=5; response.new 0; response.body 0; body.write 0; output.write 0 6; \
      error.code 0; output.write 0 1; error.code 1; output.drop 0; body.finish 0",
     "error.code 1: Some(ErrorCode::HttpResponseBodySize(Some(7)))"),
    ("fields.from-list content-length=5; response.new 0; response.body 0; body.write 0; output.write 0 6; \
      output.write 0 0; output.flush 0; output.check 0; output.blocking-write 0 0; output.zeroes 0 0",
     "check 0: 65536"),
    ("fields.from-list content-length=5; response.new 0; response.set 0", "its content-length is wrong"),
    ("fields.from-list content-length=0; response.new 0; response.set 0", "content-length: 0\n\n"),
    ("fields.new; response.new 0; response.body 0; body.write 0; response.drop 0; output.write 0 1; output.check 0; \
      output.flush 0; output.blocking-flush 0; output.blocking-write 0 1; output.zeroes 0 1; output.drop 0; \
      body.finish 0", "write 0 1: closed"),
    ("fields.new; response.new 0; response.body 0; response.body 0; body.write 0; body.write 0", "write 0: ()"),
    ("fields.new; response.new 0; response.body 0; body.write 0; body.finish 0", "failure trap"),
    ("fields.new; response.new 0; response.body 0; body.write 0; output.subscribe 0; output.drop 0", "failure trap"),
];

#[test]
fn responses_agree() {
    assert_agree(&RESPONSES);
}

/// A response without content, with the `content-length` that the content of GET would have.
const NO_CONTENT: &str = "fields.from-list content-length=5; response.new 0; ";

#[test]
fn responses_without_content_agree() {
    for end in [
        "response.set 0",
        "response.body 0; response.set 0; body.finish 0",
        "response.body 0; response.set 0; body.drop 0",
        "response.body 0; response.set 0; body.write 0; output.write 0 5",
        "response.body 0; response.set 0; body.write 0; output.write 0 9",
    ] {
        let mut request = script(&format!("{NO_CONTENT}{end}"), b"");
        *request.method_mut() = Method::HEAD;
        PROBE.assert_agree(&request, "200\ncontent-length: 5\n\n");
    }
    for (status, fragment) in [(304, "304\ncontent-length: 5\n\n"), (204, "204\n\n"), (205, "205\n\n")] {
        for end in [
            "response.set 0",
            "response.body 0; response.set 0; body.write 0; output.write 0 5",
        ] {
            let operations = format!("{NO_CONTENT}response.set-status 0 {status}; {end}");
            PROBE.assert_agree(&script(&operations, b""), fragment);
        }
    }
}

/// A response whose body goes to output 0, and the request body as input 0.
macro_rules! streams {
    ($script:literal) => {
        concat!(
            "request.consume; incoming.stream 0; fields.new; response.new 0; response.body 0; response.set 0; ",
            "body.write 0; ",
            $script
        )
    };
}

#[rustfmt::skip]
const STREAMS: [Row; 14] = [
    (streams!("output.write 0 65536; output.drop 0; body.finish 0"), "xxxxxxxx"),
    (streams!("output.write 0 65537"), "failure trap"),
    (streams!("output.blocking-write 0 4096; output.blocking-write 0 0; output.drop 0; body.finish 0"), "xxxxxxxx"),
    (streams!("output.blocking-write 0 4097"), "failure trap"),
    (streams!("output.zeroes 0 3; output.zeroes 0 0; output.blocking-zeroes 0 2"), "200\n\n\0\0\0\0\0"),
    (streams!("output.zeroes 0 65537"), "failure trap"),
    (streams!("output.splice 0 4; output.blocking-splice 0 4; output.splice 0 99; output.splice 0 1"),
     "200\n\n0123456789"),
    (streams!("output.splice 0 0; input.skip 0 99; output.splice 0 0; output.splice 0 1"), "splice 0 1: closed"),
    ("request.consume; incoming.stream 0; fields.from-list content-length=3; response.new 0; response.body 0; \
      body.write 0; output.splice 0 4; error.code 0; input.read 0 2; output.blocking-splice 0 2; error.code 1",
     "Some(6)"),
    ("request.consume; incoming.stream 0; fields.new; response.new 0; response.body 0; body.write 0; \
      response.drop 0; output.splice 0 1; output.splice 0 0; input.read 0 2", "01"),
    (streams!("input.subscribe 0; output.subscribe 0; poll.poll 0 1; poll.poll 1 0; poll.poll 0 0 1"),
     "poll 0 0 1: [0, 1, 2]"),
    (streams!("input.subscribe 0; input.subscribe 0; poll.poll 0 1; poll.drop 0; poll.poll 0"), "poll 0 1: [0, 1]"),
    (streams!("poll.poll"), "failure trap"),
    ("fields.new; response.new 0; response.body 0; body.write 0; output.subscribe 0; response.drop 0; poll.block 0; \
      poll.ready 0", "ready 0: true"),
];

#[test]
fn streams_agree() {
    assert_agree(&STREAMS);
}

#[test]
fn guest_environment_of_two_variables_agrees() {
    let environment = r#"([("APP_VERSION", "1.2.3"), ("COMMIT_SHA", "0123abcd")], [], None)"#;
    PROBE.assert_agree(&request("GET", "/environment", b""), environment);
}
