//! The metrics and the access log of one request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode, Version};
use http_body_util::Full;
use hyper::body::Body;
use tracing::info;

use crate::metrics::{Metrics, RequestLabels};
use crate::trace_context::TraceContext;

/// The length of a text in the log that a client or the component determines, in characters.
const MAX_LOGGED_CHARS: usize = 1024;

const MILLION: u64 = 1_000_000;

/// The start of a text, for the log.
pub(super) fn truncated(text: &str) -> String {
    text.chars().take(MAX_LOGGED_CHARS).collect()
}

/// Records requests.
pub(crate) struct RequestRecorder {
    metrics: Arc<Metrics>,
    /// The requests to log of a million.
    sampled: u64,
    seen: AtomicU64,
}

/// One request, from its last byte to its response. It counts once it is finished.
pub(super) struct RequestRecord<'a> {
    metrics: &'a Metrics,
    labels: RequestLabels,
    trace_context: TraceContext,
    start: Instant,
    /// For the access log, if the request is sampled.
    line: Option<Box<RequestLine>>,
}

struct RequestLine {
    method: String,
    path: String,
    version: Version,
}

impl RequestRecorder {
    /// Counts every request in `metrics`, and logs `sampled` of a million, spread evenly.
    pub(crate) fn new(metrics: Arc<Metrics>, sampled: u32) -> Self {
        Self {
            metrics,
            sampled: sampled.into(),
            seen: AtomicU64::default(),
        }
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(super) fn start(&self, head: &Parts) -> RequestRecord<'_> {
        let line = self.should_log().then(|| {
            Box::new(RequestLine {
                method: truncated(head.method.as_str()),
                path: truncated(head.uri.path()),
                version: head.version,
            })
        });
        self.metrics.requests_in_flight.inc();
        RequestRecord {
            metrics: &self.metrics,
            labels: RequestLabels::new(&head.method, head.uri.path()),
            trace_context: TraceContext::from(&head.headers),
            start: Instant::now(),
            line,
        }
    }

    /// A head that could not be parsed: its method and path are unknown.
    pub(super) fn record_malformed(&self, status: StatusCode) {
        self.metrics
            .count_request(RequestLabels::MALFORMED, status, Duration::ZERO);
        if self.should_log() {
            info!(httpRequest.status = status.as_u16(), "request");
        }
    }

    fn should_log(&self) -> bool {
        if self.sampled == 0 {
            return false;
        }
        let seen = self.seen.fetch_add(1, Ordering::Relaxed) % MILLION;
        (seen + 1) * self.sampled / MILLION > seen * self.sampled / MILLION
    }
}

impl RequestRecord<'_> {
    pub(super) fn trace_id(&self) -> Option<&str> {
        self.trace_context.trace_id()
    }

    /// Counts and logs the request.
    pub(super) fn finish(self, response: &Response<Full<Bytes>>) {
        let (status, duration) = (response.status(), self.start.elapsed());
        self.metrics.count_request(self.labels, status, duration);
        let Some(line) = &self.line else { return };
        info!(
            httpRequest.requestMethod = line.method,
            httpRequest.requestUrl = line.path,
            httpRequest.status = status.as_u16(),
            httpRequest.responseSize = response.body().size_hint().exact(),
            httpRequest.latency = format!("{:.6}s", duration.as_secs_f64()),
            httpRequest.protocol = ?line.version,
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
