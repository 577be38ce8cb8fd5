//! `Expect: 100-continue` (RFC 9110 section 10.1.1).

use bytes::BytesMut;

use super::CRLF;

/// Removes `Expect: 100-continue` from a valid head; returns whether it was there. hyper would fulfil it once more.
pub(in crate::http) fn take_expectation(head: &mut BytesMut) -> bool {
    let mut lines = head.split_inclusive(|byte| *byte == b'\n');
    if !lines.next().is_some_and(|line| line.ends_with(b"HTTP/1.1\r\n")) {
        return false;
    }
    let kept: Vec<_> = lines.filter(|line| !is_expectation(line)).flatten().copied().collect();
    let first_line = head.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let is_expected = first_line + kept.len() < head.len();
    head.truncate(first_line);
    head.extend_from_slice(&kept);
    is_expected
}

fn is_expectation(line: &[u8]) -> bool {
    let mut parts = line.strip_suffix(CRLF).unwrap_or(line).splitn(2, |byte| *byte == b':');
    let is = |part: Option<&[u8]>, text: &[u8]| part.is_some_and(|part| part.trim_ascii().eq_ignore_ascii_case(text));
    is(parts.next(), b"expect") && is(parts.next(), b"100-continue")
}
