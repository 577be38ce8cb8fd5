//! The query of a target. Clients send characters in it that a URI does not contain (RFC 3986 section 3.4). They are
//! percent-encoded, as the URL standard does it (<https://url.spec.whatwg.org/#query-state>), before hyper parses them.

use bytes::BytesMut;

/// Percent-encodes the query of the valid head at the start of `bytes`, which ends at `end`; returns its new end.
pub(in crate::http) fn encode_query(bytes: &mut BytesMut, end: usize) -> usize {
    if !has_unencoded_query(bytes) {
        return end;
    }
    let line = bytes.iter().position(|byte| *byte == b'\r').unwrap_or_default();
    let rest = bytes.split_off(line);
    let encoded = encoded(bytes);
    bytes.clear();
    bytes.extend_from_slice(&encoded);
    bytes.extend_from_slice(&rest);
    end + encoded.len() - line
}

/// Whether [`encode_query`] changes the valid head at the start of `bytes`. Of the request line, only the query may
/// contain the characters.
pub(in crate::http) fn has_unencoded_query(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .take_while(|byte| **byte != b'\r')
        .any(|byte| is_unencoded(*byte))
}

/// By how many bytes the encoding is longer than `target`.
pub(super) fn growth(target: &str) -> usize {
    2 * target.bytes().filter(|byte| is_unencoded(*byte)).count()
}

/// `text`, percent-encoded.
pub(super) fn encoded(text: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(text.len());
    for byte in text {
        if is_unencoded(*byte) {
            encoded.extend_from_slice(format!("%{byte:02X}").as_bytes());
        } else {
            encoded.push(*byte);
        }
    }
    encoded
}

/// A character that the URL standard encodes in a query. Control characters and spaces are invalid in a target, and `#`
/// begins a fragment.
fn is_unencoded(byte: u8) -> bool {
    !byte.is_ascii() || b"\"<>".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_is_encoded_and_nothing_else() {
        let head = "GET /a?b=\u{e4}\"<>%2 HTTP/1.1\r\nc: \u{e4}\"\r\n\r\n";
        let encoded = "GET /a?b=%C3%A4%22%3C%3E%2 HTTP/1.1\r\nc: \u{e4}\"\r\n\r\n";
        for (head, encoded) in [(head, encoded), (encoded, encoded)] {
            let mut bytes = BytesMut::from(format!("{head}rest").as_bytes());
            assert_eq!(encode_query(&mut bytes, head.len()), encoded.len());
            assert_eq!(bytes, format!("{encoded}rest"));
        }
    }
}
