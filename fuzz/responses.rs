//! What holds for the bytes that a server answers with, whatever it was sent. The fuzz target and the replay of its
//! corpus share it.

/// Checks that `bytes` are whole responses of HTTP/1.1 and nothing else, and that after one that says so none follows.
pub fn check(mut bytes: &[u8]) {
    let mut is_over = false;
    while !bytes.is_empty() {
        assert!(!is_over, "something follows the last response");
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response.parse(bytes).expect("no response");
        let head = parsed.unwrap();
        let status = response.code.unwrap();
        if status == 100 {
            bytes = &bytes[head..];
            continue;
        }
        let value = |name| {
            let mut named = response.headers.iter().filter(|header| header.name == name);
            let value = named.next().map(|header| std::str::from_utf8(header.value).unwrap());
            assert!(named.next().is_none(), "{name} stands twice");
            value
        };
        is_over = value("connection") == Some("close");
        let length: usize = value("content-length").unwrap().parse().unwrap();
        let body = &bytes[head..];
        assert!(
            [200, 400, 404, 405, 408, 413, 414, 431, 501, 505].contains(&status),
            "{status}"
        );
        // The answer to HEAD promises a body that does not come. It is JSON, and no response starts like that.
        let has_body = body.first() == Some(&b'{');
        bytes = if has_body { &body[length..] } else { body };
    }
}
