//! The rules for `Host` (RFC 9112 section 3.2): one, and a valid one. `wasi:http` needs an authority, and a request
//! that could be meant for one service or for another must not reach either.

use std::net::{Ipv6Addr, SocketAddr};

use http::uri::Authority;
use http::{HeaderValue, Request, Version, header};

/// Makes sure that `request` names its authority. HTTP/1.0 knows no `Host`; such a request is for whoever listens on
/// `local` (RFC 9112 section 3.3).
///
/// Returns what is wrong, for the client.
pub(super) fn establish<B>(request: &mut Request<B>, local: SocketAddr) -> Result<(), &'static str> {
    if request
        .uri()
        .authority()
        .is_some_and(|authority| !is_host_and_port(authority))
    {
        return Err("the authority of the request's target is not valid");
    }
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => Err("the request has more than one Host"),
        (Some(host), None) if is_valid(host) => Ok(()),
        (Some(_), None) => Err("the Host of the request is not valid"),
        (None, _) if request.version() == Version::HTTP_10 => {
            let host = HeaderValue::try_from(local.to_string()).map_err(|_| "the request has no Host")?;
            request.headers_mut().insert(header::HOST, host);
            Ok(())
        }
        (None, _) => Err("the request has no Host"),
    }
}

fn is_valid(host: &HeaderValue) -> bool {
    Authority::try_from(host.as_bytes()).is_ok_and(|authority| is_host_and_port(&authority))
}

/// A host with or without a port, and no user information (RFC 9110 sections 4.2.4 and 7.2).
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
