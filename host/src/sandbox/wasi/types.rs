//! Lists of fields and bodies of responses, with the rules of `wasi:http/types@0.2`.
//!
//! As in its document, names are case-insensitive, an invalid name or value is `invalid-syntax`, and a header that
//! belongs to the connection (RFC 9110 section 7.6.1) is `forbidden`. The document leaves open which names are
//! forbidden: they are those of wasmtime.

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue};
use wasmtime::{Result, bail};

use super::bindings::http::{ErrorCode, HeaderError};
use crate::sandbox::limits::{LimitExceeded, MAX_FIELDS, MAX_FIELDS_BYTES};

/// A list of fields, such as headers. That of a message is immutable.
#[derive(Clone, Default)]
pub(super) struct Fields {
    pub(super) map: HeaderMap,
    pub(super) immutable: bool,
}

impl Fields {
    /// The headers of a request that the guest may see.
    pub(super) fn of_request(headers: &HeaderMap) -> Self {
        let visible = headers.iter().filter(|(name, _)| !is_forbidden(name));
        Self {
            map: visible.map(|(name, value)| (name.clone(), value.clone())).collect(),
            immutable: true,
        }
    }

    /// Checks the limits after a change. They also bound the capacity of the map, which never shrinks.
    pub(super) fn check(&self) -> Result<()> {
        let bytes = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
        if self.map.len() > MAX_FIELDS || self.map.iter().map(bytes).sum::<usize>() > MAX_FIELDS_BYTES {
            bail!(LimitExceeded::Fields);
        }
        Ok(())
    }
}

/// Whether a guest can neither see nor set this header.
fn is_forbidden(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "host"
            | "http2-settings"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "transfer-encoding"
            | "upgrade"
    )
}

pub(super) fn parse_name(name: &str) -> Result<HeaderName, HeaderError> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| HeaderError::InvalidSyntax)?;
    if is_forbidden(&name) {
        return Err(HeaderError::Forbidden);
    }
    Ok(name)
}

pub(super) fn parse_value(name: &HeaderName, value: &[u8]) -> Result<HeaderValue, HeaderError> {
    if name != CONTENT_LENGTH {
        return HeaderValue::from_bytes(value).map_err(|_| HeaderError::InvalidSyntax);
    }
    // RFC 9110 section 8.6 allows only digits, where the parser of `u64` would accept a sign.
    let digits = value.iter().all(u8::is_ascii_digit).then_some(value);
    let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
    let length = digits.and_then(|digits| digits.parse::<u64>().ok());
    length.map(HeaderValue::from).ok_or(HeaderError::InvalidSyntax)
}

/// Two lengths would make the framing of a message ambiguous.
pub(super) fn ensure_one_length(fields: &HeaderMap, name: &HeaderName) -> Result<(), HeaderError> {
    if name == CONTENT_LENGTH && fields.contains_key(name) {
        return Err(HeaderError::InvalidSyntax);
    }
    Ok(())
}

/// The body of a response, while the guest writes it.
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    /// `content-length`.
    expected: Option<u64>,
    /// Bytes that the guest wrote, including those beyond `expected`.
    written: u64,
    /// The guest finished it, and wrote as much as `expected`.
    pub(super) is_complete: bool,
    /// Its response was dropped, so nobody reads it.
    pub(super) is_closed: bool,
}

impl Body {
    pub(super) fn new(headers: &HeaderMap) -> Self {
        let length = headers.get(CONTENT_LENGTH);
        Self {
            bytes: Vec::new(),
            expected: length.and_then(|length| length.to_str().ok()?.parse().ok()),
            written: 0,
            is_complete: false,
            is_closed: false,
        }
    }

    pub(super) fn close(&mut self) {
        self.is_closed = true;
        self.bytes = Vec::new();
    }

    /// Counts a write. The error is the length of the body, which is more than its `content-length`.
    pub(super) fn count(&mut self, length: usize) -> Result<(), u64> {
        self.written += length as u64;
        match self.expected {
            Some(expected) if self.written > expected => Err(self.written),
            _ => Ok(()),
        }
    }

    pub(super) fn finish(&mut self) -> Result<(), ErrorCode> {
        if self.expected.is_some_and(|expected| self.written != expected) {
            return Err(ErrorCode::HttpResponseBodySize(Some(self.written)));
        }
        self.is_complete = !self.is_closed;
        Ok(())
    }
}
