//! The host's own responses: problem details (RFC 9457), in the form of the component's.

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

/// Seconds.
const RETRY_AFTER: &str = "1";

/// Why a request is not passed to the component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The status of the response.
    pub status: StatusCode,
    /// The `detail` of its problem.
    pub detail: &'static str,
}

#[derive(Serialize)]
struct Problem<'a> {
    title: &'a str,
    status: u16,
    detail: &'a str,
}

impl Rejection {
    pub(super) const fn new(status: StatusCode, detail: &'static str) -> Self {
        Self { status, detail }
    }
}

pub(super) fn problem(rejection: Rejection) -> Response<Full<Bytes>> {
    let Rejection { status, detail } = rejection;
    let problem = Problem {
        title: status.canonical_reason().unwrap_or_default(),
        status: status.as_u16(),
        detail,
    };
    // Only map keys can fail to serialize, and there are no maps.
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

pub(super) fn with_connection_close(response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    with_header(response, header::CONNECTION, "close")
}

pub(super) fn with_retry_after(response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    with_header(response, header::RETRY_AFTER, RETRY_AFTER)
}

fn with_header(mut response: Response<Full<Bytes>>, name: HeaderName, value: &'static str) -> Response<Full<Bytes>> {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
    response
}
