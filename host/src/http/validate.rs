//! The checks of a request that hyper does not make. With them, a request means the same to this server and to any
//! proxy in front of it (RFC 9112 section 11.2).

use std::net::Ipv6Addr;

use http::request::Parts;
use http::uri::Authority;
use http::{Method, StatusCode, Uri, Version, header};

use super::problem::Rejection;

/// Checks the method, the target, `Host` and `Transfer-Encoding`.
pub(super) fn validate(head: &Parts) -> Result<(), Rejection> {
    // RFC 9110 section 9.3.6; 501 is the status for unsupported methods (section 15.6.2).
    if head.method == Method::CONNECT {
        return Err(Rejection::new(StatusCode::NOT_IMPLEMENTED, "CONNECT is not supported"));
    }
    validate_target(&head.method, &head.uri)?;
    validate_host(head)?;
    validate_transfer_encoding(head)
}

/// The target in origin, absolute or asterisk form (RFC 9112 section 3.2).
fn validate_target(method: &Method, uri: &Uri) -> Result<(), Rejection> {
    match (uri.scheme_str(), uri.authority()) {
        (None, None) if uri.path().starts_with('/') => Ok(()),
        (None, None) if uri.path() == "*" && method == Method::OPTIONS => Ok(()),
        (Some("http" | "https"), Some(authority)) if is_host_and_port(authority) => Ok(()),
        _ => Err(bad("the request target is neither a path nor an http URI")),
    }
}

/// Exactly one valid `Host`; optional in HTTP/1.0 (RFC 9112 section 3.2).
fn validate_host(head: &Parts) -> Result<(), Rejection> {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => Err(bad("the request has several Host headers")),
        (Some(host), None) => match Authority::try_from(host.as_bytes()) {
            Ok(authority) if is_host_and_port(&authority) => Ok(()),
            _ => Err(bad("the Host header is invalid")),
        },
        (None, _) if head.version == Version::HTTP_10 => Ok(()),
        (None, _) => Err(bad("the Host header is missing")),
    }
}

/// A host with an optional port, and no user information (RFC 9110 sections 4.2.4 and 7.2).
fn is_host_and_port(authority: &Authority) -> bool {
    let host = authority.host();
    let is_host = match host.strip_prefix('[') {
        Some(address) => address
            .strip_suffix(']')
            .is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        None => !host.is_empty(),
    };
    let is_port = |port: &str| port.is_empty() || port.parse::<u16>().is_ok() && !port.starts_with('+');
    let rest = authority.as_str().strip_prefix(host);
    is_host && rest.is_some_and(|rest| rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
}

/// The chunked coding once, and no other (RFC 9112 section 6.1). hyper rejects a final coding that is not chunked, and
/// ignores a length beside it.
fn validate_transfer_encoding(head: &Parts) -> Result<(), Rejection> {
    let values = head.headers.get_all(header::TRANSFER_ENCODING).iter();
    let codings = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let is_chunked = |coding: &&[u8]| coding.trim_ascii().eq_ignore_ascii_case(b"chunked");
    let (chunked, other): (Vec<_>, Vec<_>) = codings.partition(is_chunked);
    match (chunked.len(), other.len()) {
        (0 | 1, 0) => Ok(()),
        (0 | 1, _) => Err(Rejection::new(
            StatusCode::NOT_IMPLEMENTED,
            "the only supported transfer coding is chunked",
        )),
        _ => Err(bad("the chunked coding is applied twice")),
    }
}

fn bad(detail: &'static str) -> Rejection {
    Rejection::new(StatusCode::BAD_REQUEST, detail)
}
