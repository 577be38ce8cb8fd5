//! Validation of a request head (RFC 9112): it must be unambiguous to this server and to any proxy in front of it.
//!
//! hyper parses the head again, but accepts more: a bare line feed, `content-length` beside `transfer-encoding`,
//! unknown transfer codings, and a target with a fragment.

mod expectation;
mod framing;
mod host;
mod query;

use std::mem::MaybeUninit;

use http::{StatusCode, Uri};
use httparse::{Error, Header, Request, Status};

pub(super) use expectation::take_expectation;
pub(super) use host::ensure_host;
pub(super) use query::{encode_query, has_unencoded_query};

use super::problem::Rejection;

/// Maximum size of a head, in bytes, once its query is percent-encoded.
pub const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Maximum size of a target, in bytes, once its query is percent-encoded.
pub const MAX_TARGET_BYTES: usize = 8 * 1024;

/// Maximum number of header fields.
pub const MAX_HEADERS: usize = 100;

/// Ends a line. Before a head it is an empty line, which is ignored (section 2.2).
pub const CRLF: &[u8] = b"\r\n";

/// Whether a body follows the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFraming {
    /// The next bytes are another head.
    None,
    /// The next bytes are a body of this length.
    Length(u64),
    /// The next bytes are a chunked body.
    Chunked,
}

/// Finds the end of the head at the start of `bytes`; `None` if it is incomplete. The first `scanned` bytes are known
/// to contain no end. `bytes` must not start with an empty line.
///
/// # Errors
///
/// [`Rejection`] for the first line that ends in a bare line feed (section 2.2).
pub fn find_end(bytes: &[u8], scanned: usize) -> Result<Option<usize>, Rejection> {
    let new = bytes.iter().enumerate().skip(scanned);
    for (at, _) in new.filter(|(_, byte)| **byte == b'\n') {
        let Some(line) = bytes.get(..at).and_then(|lines| lines.strip_suffix(b"\r")) else {
            return Err(bad("a line ends in a bare line feed"));
        };
        if line.ends_with(CRLF) {
            return Ok(Some(at + 1));
        }
    }
    Ok(None)
}

/// Checks the start of an incomplete head: without it, whoever speaks another protocol would wait for the timeout.
///
/// # Errors
///
/// [`Rejection`] if no request line can start like this.
pub fn validate_start(bytes: &[u8]) -> Result<(), Rejection> {
    let method = bytes.split(|byte| *byte == b' ').next().unwrap_or_default();
    let is_empty = method.is_empty() && !bytes.is_empty();
    if is_empty || !method.iter().all(|byte| is_token(*byte)) && bytes != b"\r" {
        return Err(bad("the request line is invalid"));
    }
    Ok(())
}

/// A character of a token, such as a method or a field name (RFC 9110 section 5.6.2).
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// A character of a field value (RFC 9110 section 5.5).
pub(super) fn is_text(byte: u8) -> bool {
    byte == b'\t' || byte >= b' ' && byte != 0x7f
}

/// The rejection of a head that exceeds [`MAX_HEAD_BYTES`].
#[must_use]
pub fn oversized(bytes: &[u8]) -> Rejection {
    if bytes.contains(&b'\n') {
        too_large("the request head is larger than 16 KiB")
    } else {
        target_too_long()
    }
}

/// Validates a complete head.
///
/// # Errors
///
/// [`Rejection`] with the status that the RFC names.
pub fn validate(head: &[u8]) -> Result<BodyFraming, Rejection> {
    let mut fields = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut request = Request::new(&mut []);
    match request.parse_with_uninit_headers(head, &mut fields) {
        Ok(Status::Complete(_)) => {}
        Ok(Status::Partial) => return Err(bad("the request head is incomplete")),
        Err(error) => return Err(malformed(error, head)),
    }
    method(request.method.unwrap_or_default())?;
    target(request.method.unwrap_or_default(), request.path.unwrap_or_default())?;
    if head.len() + query::growth(request.path.unwrap_or_default()) > MAX_HEAD_BYTES {
        return Err(oversized(head));
    }
    host(&request)?;
    framing::framing(&request)
}

fn method(method: &str) -> Result<(), Rejection> {
    // RFC 9110 section 9.3.6; 501 is the status for unsupported methods (section 15.6.2).
    if method == "CONNECT" {
        return Err(Rejection::new(StatusCode::NOT_IMPLEMENTED, "CONNECT is not supported"));
    }
    Ok(())
}

/// The target in origin, absolute or asterisk form (RFC 9112 section 3.2).
fn target(method: &str, target: &str) -> Result<(), Rejection> {
    if target.len() + query::growth(target) > MAX_TARGET_BYTES {
        return Err(target_too_long());
    }
    let path = target.split('?').next().unwrap_or_default();
    if target.contains('#') || !is_path(path.as_bytes()) {
        return Err(bad("the request target has invalid characters"));
    }
    let uri = Uri::try_from(query::encoded(target.as_bytes())).map_err(|_| bad("the request target is invalid"))?;
    let authority = match uri.scheme_str() {
        None if target.starts_with('/') => return Ok(()),
        None if target == "*" && method == "OPTIONS" => return Ok(()),
        Some("http" | "https") => uri.authority(),
        _ => None,
    };
    match authority {
        Some(authority) if host::is_host_and_port(authority) => Ok(()),
        Some(_) => Err(bad("the authority of the request target is invalid")),
        None => Err(bad("the request target is neither a path nor an http URI")),
    }
}

/// Whether these are characters of a path, or of the scheme and authority before it (RFC 3986 appendix A). A query may
/// contain more, since clients do not encode all of it.
fn is_path(mut bytes: &[u8]) -> bool {
    while let Some((first, rest)) = bytes.split_first() {
        bytes = match (first, rest) {
            (b'%', [high, low, rest @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest,
            (b'%', _) => return false,
            _ if first.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/[]".contains(first) => rest,
            _ => return false,
        };
    }
    true
}

/// Exactly one valid `Host`; optional in HTTP/1.0 (RFC 9112 section 3.2).
fn host(request: &Request) -> Result<(), Rejection> {
    let mut hosts = values(request, "host");
    match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => Err(bad("the request has several Host headers")),
        (Some(host), None) if host::is_valid(host) => Ok(()),
        (Some(_), None) => Err(bad("the Host header is invalid")),
        (None, _) if request.version == Some(0) => Ok(()),
        (None, _) => Err(bad("the Host header is missing")),
    }
}

fn values<'a>(request: &'a Request, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
    let named = move |field: &&Header| field.name.eq_ignore_ascii_case(name);
    request.headers.iter().filter(named).map(|field| field.value)
}

fn malformed(error: Error, head: &[u8]) -> Rejection {
    match error {
        Error::HeaderName => bad("a header name is invalid"),
        Error::HeaderValue => bad("a header value is invalid"),
        Error::TooManyHeaders => too_large("the request has more than 100 headers"),
        Error::Version if is_other_version(head) => Rejection::new(
            StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            "the supported versions are HTTP/1.1 and HTTP/1.0",
        ),
        Error::Version => bad("the HTTP version is invalid"),
        Error::NewLine => bad("a carriage return is not followed by a line feed"),
        Error::Status | Error::Token => bad("the request line is invalid"),
    }
}

/// Whether the request line is valid but for an unsupported version (RFC 9112 section 2.3).
fn is_other_version(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\r').next();
    let mut parts = line.unwrap_or_default().split(|byte| *byte == b' ').skip(2);
    let (version, rest) = (parts.next(), parts.next());
    let is_version = |version: &[u8]| match version {
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] => major.is_ascii_digit() && minor.is_ascii_digit(),
        _ => false,
    };
    rest.is_none() && version.is_some_and(is_version)
}

fn bad(detail: &'static str) -> Rejection {
    Rejection::new(StatusCode::BAD_REQUEST, detail)
}

fn too_large(detail: &'static str) -> Rejection {
    Rejection::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, detail)
}

fn target_too_long() -> Rejection {
    Rejection::new(StatusCode::URI_TOO_LONG, "the request target is larger than 8 KiB")
}
