//! The routes of the admin server.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;

use super::AdminServer;
use super::negotiation::preferred_format;
use crate::process::Phase;

const NOT_FOUND: &str = "not found; available paths: /metrics, /livez, /readyz, /buildinfo\n";

impl AdminServer {
    pub(super) fn route(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let is_allowed = matches!(*request.method(), Method::GET | Method::HEAD);
        let mut response = match request.uri().path() {
            "/livez" | "/readyz" | "/metrics" | "/buildinfo" if !is_allowed => method_not_allowed(),
            "/livez" => self.livez(),
            "/readyz" => self.readyz(),
            "/metrics" => self.metrics(request),
            "/buildinfo" => self.build_info(),
            _ => text(StatusCode::NOT_FOUND, NOT_FOUND),
        };
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }

    fn livez(&self) -> Response<Full<Bytes>> {
        if self.heartbeat.is_alive() {
            text(StatusCode::OK, "ok\n")
        } else {
            text(StatusCode::SERVICE_UNAVAILABLE, "stuck\n")
        }
    }

    fn readyz(&self) -> Response<Full<Bytes>> {
        match self.readiness.get() {
            Phase::Starting => text(StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
            Phase::Ready => text(StatusCode::OK, "ok\n"),
            Phase::Draining => text(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        }
    }

    fn metrics(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let format = preferred_format(request.headers());
        content(StatusCode::OK, format.media_type(), self.registry.encode(format))
    }

    fn build_info(&self) -> Response<Full<Bytes>> {
        // Only map keys and custom `Serialize` implementations can fail, and there are none.
        let json = serde_json::to_vec(&self.build_info).unwrap_or_default();
        content(StatusCode::OK, "application/json", json)
    }
}

fn method_not_allowed() -> Response<Full<Bytes>> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed; use GET or HEAD\n");
    let headers = response.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

fn text(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    content(status, "text/plain; charset=utf-8", text)
}

fn content(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
