//! The metrics and the access log of one request.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::Full;
use hyper::body::Body;
use tracing::info;

use crate::logging::{Sampler, TraceContext};
use crate::metrics::{Method, Metrics, Route};

/// The length of a method and of a path in the log, in characters.
const MAX_LOGGED_CHARS: usize = 1024;

/// Records requests.
pub struct RequestRecorder {
    metrics: Arc<Metrics>,
    access_log: Sampler,
}

/// One request, from its head to its response. It counts once it is finished.
pub(super) struct RequestRecord<'a> {
    metrics: &'a Metrics,
    method: Method,
    route: Route,
    trace_context: TraceContext,
    start: Instant,
    access_log: AccessLog,
}

/// The line for the access log.
enum AccessLog {
    Off,
    /// The head was rejected: method and path are unknown.
    Rejected,
    Request(Box<RequestLine>),
}

struct RequestLine {
    method: String,
    path: String,
    version: Version,
}

impl RequestRecorder {
    /// Counts every request in `metrics`, and logs those that `access_log` samples.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>, access_log: Sampler) -> Self {
        Self { metrics, access_log }
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// A request whose head was rejected.
    pub(super) fn start_rejected(&self) -> RequestRecord<'_> {
        let access_log = if self.access_log.should_sample() {
            AccessLog::Rejected
        } else {
            AccessLog::Off
        };
        self.record(Method::Other, Route::Other, TraceContext::default(), access_log)
    }

    pub(super) fn start<B>(&self, request: &Request<B>) -> RequestRecord<'_> {
        let path = request.uri().path();
        let access_log = if self.access_log.should_sample() {
            AccessLog::Request(Box::new(RequestLine {
                method: request.method().as_str().chars().take(MAX_LOGGED_CHARS).collect(),
                path: path.chars().take(MAX_LOGGED_CHARS).collect(),
                version: request.version(),
            }))
        } else {
            AccessLog::Off
        };
        let trace_context = TraceContext::from(request.headers());
        self.record(request.method().into(), path.into(), trace_context, access_log)
    }

    fn record(
        &self,
        method: Method,
        route: Route,
        trace_context: TraceContext,
        access_log: AccessLog,
    ) -> RequestRecord<'_> {
        self.metrics.requests_in_flight.inc();
        RequestRecord {
            metrics: &self.metrics,
            method,
            route,
            trace_context,
            start: Instant::now(),
            access_log,
        }
    }
}

impl RequestRecord<'_> {
    pub(super) fn trace_id(&self) -> Option<&str> {
        self.trace_context.trace_id()
    }

    /// Counts and logs the request.
    pub(super) fn finish(self, response: &Response<Full<Bytes>>) {
        let (status, duration) = (response.status(), self.start.elapsed());
        self.metrics.requests.count(self.method, self.route, status);
        self.metrics.request_durations.observe(self.route, status, duration);
        let line = match &self.access_log {
            AccessLog::Off => return,
            AccessLog::Rejected => None,
            AccessLog::Request(line) => Some(line),
        };
        info!(
            httpRequest.requestMethod = line.map(|line| line.method.as_str()),
            httpRequest.requestUrl = line.map(|line| line.path.as_str()),
            httpRequest.status = status.as_u16(),
            httpRequest.responseSize = response.body().size_hint().exact(),
            httpRequest.latency = format!("{:.6}s", duration.as_secs_f64()),
            httpRequest.protocol = line.map(|line| debug(line.version)),
            trace = self.trace_id(),
            "request"
        );
    }
}

impl Drop for RequestRecord<'_> {
    fn drop(&mut self) {
        self.metrics.requests_in_flight.dec();
    }
}
