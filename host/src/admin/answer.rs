//! One request on the admin port, one response.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde::Serialize;

use super::negotiation;
use super::{Admin, Phase};

const TEXT: &str = "text/plain; charset=utf-8";

/// What the process was built from, and what it serves.
#[derive(Clone, Debug, Serialize)]
pub struct BuildInfo {
    /// The version of the application.
    pub app_version: String,
    /// The git commit that the application was built from.
    pub commit_sha: String,
    /// The version of `status-host`.
    pub host_version: &'static str,
    /// The version of wasmtime.
    pub wasmtime_version: &'static str,
    /// Where the component is from: `embedded`, or a file.
    pub component: String,
    /// The SHA-256 of the component.
    pub component_sha256: String,
}

impl Admin {
    pub(super) fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let mut response = match request.uri().path() {
            "/livez" | "/readyz" | "/metrics" | "/buildinfo" if !is_read => method_not_allowed(),
            "/livez" => text(StatusCode::OK, "ok\n"),
            "/readyz" => self.readyz(),
            "/metrics" => self.metrics(request),
            "/buildinfo" => self.build_info(),
            _ => text(
                StatusCode::NOT_FOUND,
                "there are /metrics, /livez, /readyz and /buildinfo\n",
            ),
        };
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }

    fn readyz(&self) -> Response<Full<Bytes>> {
        match self.readiness.get() {
            Phase::Starting => text(StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
            Phase::Ready => text(StatusCode::OK, "ok\n"),
            Phase::Draining => text(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        }
    }

    fn metrics(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let format = negotiation::format(request.headers());
        content(StatusCode::OK, format.media_type(), self.exposition.text(format))
    }

    fn build_info(&self) -> Response<Full<Bytes>> {
        // Fails on map keys only, and there are none.
        let json = serde_json::to_vec(&self.build).unwrap_or_default();
        content(StatusCode::OK, "application/json", json)
    }
}

fn method_not_allowed() -> Response<Full<Bytes>> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "this can be read only\n");
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

fn text(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    content(status, TEXT, text)
}

fn content(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
