//! The rules for `Host` (RFC 9112 section 3.2): one, and a valid one. `wasi:http` needs an authority, and a request
//! that could be meant for one service or for another must not reach either.

use std::net::SocketAddr;

use http::uri::Authority;
use http::{HeaderValue, Request, Version, header};

/// Makes sure that `request` names its authority. HTTP/1.0 knows no `Host`; such a request is for whoever listens on
/// `local` (RFC 9112 section 3.3).
///
/// Returns what is wrong, for the client.
pub(super) fn establish<B>(request: &mut Request<B>, local: SocketAddr) -> Result<(), &'static str> {
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

/// A host with or without a port, and no user information (RFC 9110 section 7.2).
fn is_valid(host: &HeaderValue) -> bool {
    let Ok(authority) = Authority::try_from(host.as_bytes()) else {
        return false;
    };
    let port = authority.as_str().strip_prefix(authority.host());
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    port.is_some_and(|port| port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}
