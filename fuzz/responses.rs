//! Invariants of the server's output for any input, for the fuzz target and the test that replays its corpus.

/// Checks that `bytes` are complete HTTP/1.1 responses only, and that none follows a `connection: close`.
pub fn check(mut bytes: &[u8]) {
    let mut is_closed = false;
    while !bytes.is_empty() {
        assert!(!is_closed, "data after the last response");
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response.parse(bytes).expect("invalid response");
        let head = parsed.unwrap();
        let status = response.code.unwrap();
        if status == 100 {
            bytes = &bytes[head..];
            continue;
        }
        let value = |name| {
            let mut named = response.headers.iter().filter(|header| header.name == name);
            let value = named.next().map(|header| std::str::from_utf8(header.value).unwrap());
            assert!(named.next().is_none(), "duplicate header {name}");
            value
        };
        is_closed = value("connection") == Some("close");
        let length: usize = value("content-length").unwrap().parse().unwrap();
        let body = &bytes[head..];
        assert!(
            [200, 400, 404, 405, 408, 413, 414, 431, 501, 505].contains(&status),
            "{status}"
        );
        // A response to HEAD has `content-length` but no body. Bodies are JSON objects, so `{` cannot start a response.
        let has_body = body.first() == Some(&b'{');
        bytes = if has_body { &body[length..] } else { body };
    }
}
