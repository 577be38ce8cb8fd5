//! The head of a request, from the bytes of the wire: whole, and to be read in one way only (RFC 9112).
//!
//! hyper parses the head again. It is more lenient than what stands in front of other servers may be: it takes a bare
//! line feed, a `content-length` beside a `transfer-encoding`, codings that nobody decodes, and a target with a fragment.

use std::mem::MaybeUninit;

use http::{StatusCode, Uri};
use httparse::{Error, Header, Request, Status};

use super::authority;
use super::problem::Rejection;

/// The longest head, in bytes.
pub const HEAD_LIMIT: usize = 16 * 1024;

/// The longest target, in bytes.
pub const TARGET_LIMIT: usize = 8 * 1024;

/// The most header fields.
pub const FIELD_LIMIT: usize = 100;

/// What may stand before a head, and ends it.
pub const EMPTY_LINE: &[u8] = b"\r\n";

/// What follows a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// The next head.
    Head,
    /// A body. What follows that is not read: after the answer the connection is closed.
    Body,
}

/// Where the head that `bytes` begin with ends; none as long as it is not whole. The first `seen` bytes were searched
/// before, and held no end. Empty lines before a head do not belong to it (section 2.2).
///
/// # Errors
///
/// [`Rejection`] for a line that does not end in CRLF, as soon as it is there (section 2.2).
pub fn end(bytes: &[u8], seen: usize) -> Result<Option<usize>, Rejection> {
    let new = bytes.iter().enumerate().skip(seen);
    for (at, _) in new.filter(|(_, byte)| **byte == b'\n') {
        let Some(line) = bytes.get(..at).and_then(|lines| lines.strip_suffix(b"\r")) else {
            return Err(bad("a line ends in a bare line feed"));
        };
        if line.ends_with(EMPTY_LINE) {
            return Ok(Some(at + 1));
        }
    }
    Ok(None)
}

/// What is wrong with a head that has no end within the limit.
#[must_use]
pub fn too_long(bytes: &[u8]) -> Rejection {
    if bytes.contains(&b'\n') {
        too_large("the head of the request has more than 16 KiB")
    } else {
        target_too_long()
    }
}

/// Checks a whole head.
///
/// # Errors
///
/// [`Rejection`], with the status that the clause names.
pub fn examine(head: &[u8]) -> Result<Framing, Rejection> {
    let mut fields = [const { MaybeUninit::uninit() }; FIELD_LIMIT];
    let mut request = Request::new(&mut []);
    match request.parse_with_uninit_headers(head, &mut fields) {
        Ok(Status::Complete(_)) => {}
        Ok(Status::Partial) => return Err(bad("the head is not whole")),
        Err(error) => return Err(malformed(error, head)),
    }
    method(request.method.unwrap_or_default())?;
    target(request.method.unwrap_or_default(), request.path.unwrap_or_default())?;
    host(&request)?;
    framing(&request)
}

fn method(method: &str) -> Result<(), Rejection> {
    // A tunnel (RFC 9110 section 9.3.6): 501 is for methods that the server does not know.
    if method == "CONNECT" {
        return Err(Rejection::new(
            StatusCode::NOT_IMPLEMENTED,
            "this is not a proxy, and makes no tunnels",
        ));
    }
    Ok(())
}

/// The target in origin, absolute or asterisk form (RFC 9112 section 3.2).
fn target(method: &str, target: &str) -> Result<(), Rejection> {
    if target.len() > TARGET_LIMIT {
        return Err(target_too_long());
    }
    let path = target.split('?').next().unwrap_or_default();
    if !target.is_ascii() || target.contains('#') || !is_path(path.as_bytes()) {
        return Err(bad("the target has characters that do not belong there"));
    }
    let uri: Uri = target.parse().map_err(|_| bad("the target is not valid"))?;
    let authority = match uri.scheme_str() {
        None if target.starts_with('/') => return Ok(()),
        None if target == "*" && method == "OPTIONS" => return Ok(()),
        Some("http" | "https") => uri.authority(),
        _ => None,
    };
    match authority {
        Some(authority) if authority::is_host_and_port(authority) => Ok(()),
        Some(_) => Err(bad("the authority of the target is not valid")),
        None => Err(bad("the target is neither a path nor a URI of http")),
    }
}

/// Whether these are the characters of a path, and of what may stand before it (RFC 3986 appendix A). A query, which
/// the URI parser looks at, may hold more: browsers do not encode all of it.
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

/// One `Host`, and a valid one; HTTP/1.0 does not need it (RFC 9112 section 3.2).
fn host(request: &Request) -> Result<(), Rejection> {
    let mut hosts = values(request, "host");
    match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => Err(bad("the request has more than one Host")),
        (Some(host), None) if authority::is_valid(host) => Ok(()),
        (Some(_), None) => Err(bad("the Host of the request is not valid")),
        (None, _) if request.version == Some(0) => Ok(()),
        (None, _) => Err(bad("the request has no Host")),
    }
}

/// Either one length or the chunked coding (RFC 9112 section 6).
fn framing(request: &Request) -> Result<Framing, Rejection> {
    let (mut lengths, mut codings) = (values(request, "content-length"), values(request, "transfer-encoding"));
    match (lengths.next(), codings.next()) {
        (None, None) => Ok(Framing::Head),
        (Some(length), None) => match lengths.next() {
            Some(_) => Err(bad("the request has more than one Content-Length")),
            None => is_length(length)
                .then(|| body(length))
                .ok_or(bad("the Content-Length of the request is not a number")),
        },
        (None, Some(_)) if request.version == Some(0) => Err(bad("HTTP/1.0 knows no Transfer-Encoding")),
        (None, Some(coding)) => match codings.next() {
            Some(_) => Err(bad("the request has more than one Transfer-Encoding")),
            None => transfer(coding),
        },
        (Some(_), Some(_)) => Err(bad("the request has a Content-Length and a Transfer-Encoding")),
    }
}

fn body(length: &[u8]) -> Framing {
    if length.iter().all(|digit| *digit == b'0') {
        Framing::Head
    } else {
        Framing::Body
    }
}

/// `1*DIGIT` (RFC 9110 section 8.6) of a number that can be counted to.
fn is_length(value: &[u8]) -> bool {
    let text = std::str::from_utf8(value).unwrap_or_default();
    text.bytes().all(|digit| digit.is_ascii_digit()) && text.parse::<u64>().is_ok_and(|length| length < u64::MAX - 1)
}

/// The chunked coding is the only one that is known here.
fn transfer(coding: &[u8]) -> Result<Framing, Rejection> {
    let mut codings = coding.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).rev();
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    match codings.next() {
        Some(last) if !is_chunked(last) => Err(bad(
            "the last transfer coding is not chunked, so that the body has no end",
        )),
        _ if codings.clone().any(is_chunked) => Err(bad("the chunked coding is applied more than once")),
        _ if codings.next().is_some() => Err(Rejection::new(
            StatusCode::NOT_IMPLEMENTED,
            "no transfer coding but chunked is known here",
        )),
        _ => Ok(Framing::Body),
    }
}

fn values<'a>(request: &'a Request, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
    let named = move |field: &&Header| field.name.eq_ignore_ascii_case(name);
    request.headers.iter().filter(named).map(|field| field.value)
}

fn malformed(error: Error, head: &[u8]) -> Rejection {
    match error {
        Error::HeaderName => bad("the name of a header field is not valid"),
        Error::HeaderValue => bad("the value of a header field is not valid"),
        Error::TooManyHeaders => too_large("the request has more than 100 header fields"),
        Error::Version if is_other_version(head) => Rejection::new(
            StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            "only HTTP/1.1 and HTTP/1.0 are spoken here",
        ),
        Error::Version => bad("the version in the request line is not valid"),
        Error::NewLine => bad("a carriage return is not followed by a line feed"),
        Error::Status | Error::Token => bad("the request line is not valid"),
    }
}

/// Whether the request line is one but for its version, which RFC 9112 section 2.3 spells so, and which is not ours.
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
    Rejection::new(
        StatusCode::URI_TOO_LONG,
        "the target of the request has more than 8 KiB",
    )
}
