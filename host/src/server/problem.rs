//! The responses of the host itself: problem details (RFC 9457) in the form that the component's own have.

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

/// The seconds after which a refused client may try again.
const RETRY_AFTER: &str = "1";

/// Why a request is not answered by the component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The status that tells it.
    pub status: StatusCode,
    /// The same in words.
    pub detail: &'static str,
}

#[derive(Serialize)]
struct Problem<'a> {
    title: &'a str,
    status: u16,
    detail: &'a str,
}

impl Rejection {
    pub(super) fn new(status: StatusCode, detail: &'static str) -> Self {
        Self { status, detail }
    }
}

/// A response that tells `rejection`, and of which nothing is stored.
pub(super) fn problem(rejection: Rejection) -> Response<Full<Bytes>> {
    let Rejection { status, detail } = rejection;
    let problem = Problem {
        title: status.canonical_reason().unwrap_or_default(),
        status: status.as_u16(),
        detail,
    };
    // Fails on map keys only, and there are none.
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "application/problem+json"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The same, after which the connection is closed.
pub(super) fn and_close(response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    with(response, header::CONNECTION, "close")
}

/// The same, which tells when to try again.
pub(super) fn and_retry(response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    with(response, header::RETRY_AFTER, RETRY_AFTER)
}

fn with(mut response: Response<Full<Bytes>>, name: HeaderName, value: &'static str) -> Response<Full<Bytes>> {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
    response
}
