//! `Host`, and the authority of a target.

use std::net::{Ipv6Addr, SocketAddr};

use http::uri::Authority;
use http::{HeaderValue, Request, header};

/// Adds `Host: local_addr` if the request has none: HTTP/1.0 allows that (RFC 9112 section 3.3), but `wasi:http` needs
/// an authority.
pub(in crate::http) fn ensure_host<B>(request: &mut Request<B>, local_addr: SocketAddr) {
    if request.headers().contains_key(header::HOST) {
        return;
    }
    if let Ok(host) = HeaderValue::try_from(local_addr.to_string()) {
        request.headers_mut().insert(header::HOST, host);
    }
}

/// Whether this is a valid value of `Host`.
pub(super) fn is_valid(host: &[u8]) -> bool {
    Authority::try_from(host).is_ok_and(|authority| is_host_and_port(&authority))
}

/// A host with an optional port, and no user information (RFC 9110 sections 4.2.4 and 7.2).
pub(super) fn is_host_and_port(authority: &Authority) -> bool {
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
