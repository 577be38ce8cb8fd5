//! Which bytes after a head are its body (RFC 9112 section 6).

use http::StatusCode;
use httparse::Request;

use super::{BodyFraming, bad, values};
use crate::http::problem::Rejection;

/// Either one `Content-Length` or the chunked coding (RFC 9112 section 6).
pub(super) fn framing(request: &Request) -> Result<BodyFraming, Rejection> {
    let (mut lengths, mut codings) = (values(request, "content-length"), values(request, "transfer-encoding"));
    match (lengths.next(), codings.next()) {
        (None, None) => Ok(BodyFraming::None),
        (Some(length), None) => match lengths.next() {
            Some(_) => Err(bad("the request has several Content-Length headers")),
            None => length_framing(length).ok_or(bad("the Content-Length header is not a number")),
        },
        (None, Some(_)) if request.version == Some(0) => Err(bad("HTTP/1.0 does not define Transfer-Encoding")),
        (None, Some(coding)) => match codings.next() {
            Some(_) => Err(bad("the request has several Transfer-Encoding headers")),
            None => validate_coding(coding),
        },
        (Some(_), Some(_)) => Err(bad("the request has both Content-Length and Transfer-Encoding")),
    }
}

/// `1*DIGIT` (RFC 9110 section 8.6) that fits a `u64`; hyper reserves the two largest values.
fn length_framing(value: &[u8]) -> Option<BodyFraming> {
    let digits = Some(value).filter(|value| value.iter().all(u8::is_ascii_digit))?;
    match std::str::from_utf8(digits).ok()?.parse().ok()? {
        0 => Some(BodyFraming::None),
        length if length < u64::MAX - 1 => Some(BodyFraming::Length(length)),
        _ => None,
    }
}

/// Only the chunked coding is supported.
fn validate_coding(coding: &[u8]) -> Result<BodyFraming, Rejection> {
    let mut codings = coding.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).rev();
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    match codings.next() {
        Some(last) if !is_chunked(last) => Err(bad("the final transfer coding is not chunked")),
        _ if codings.clone().any(is_chunked) => Err(bad("the chunked coding is applied twice")),
        _ if codings.next().is_some() => Err(Rejection::new(
            StatusCode::NOT_IMPLEMENTED,
            "the only supported transfer coding is chunked",
        )),
        _ => Ok(BodyFraming::Chunked),
    }
}
