//! One request, as it is counted and told of in the access log.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::Full;
use hyper::body::Body;
use tracing::info;

use crate::telemetry::{Method, Metrics, Route, Sample, Trace};

/// The most characters that the log tells of a path or of a method.
const TOLD: usize = 1024;

/// Where requests are counted and told of.
pub struct Observer {
    metrics: Arc<Metrics>,
    access_log: Sample,
}

/// A request from when it is read to when its answer is whole. One that is given up before that is not counted.
pub(super) struct Observation<'a> {
    metrics: &'a Metrics,
    method: Method,
    route: Route,
    /// Which trace it belongs to.
    pub(super) trace: Trace,
    begin: Instant,
    told: Told,
}

/// Whether and what the access log tells of a request.
enum Told {
    No,
    /// That one came: its head was rejected.
    Rejected,
    Line(Box<Line>),
}

struct Line {
    method: String,
    path: String,
    version: Version,
}

impl Observer {
    /// Counts in `metrics`, and tells of what `access_log` takes.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>, access_log: Sample) -> Self {
        Self { metrics, access_log }
    }

    /// A request whose head was rejected. What is known of it is that it came.
    pub(super) fn observe_rejected(&self) -> Observation<'_> {
        let told = if self.access_log.takes_next() {
            Told::Rejected
        } else {
            Told::No
        };
        self.begin(Method::Other, Route::Other, Trace::default(), told)
    }

    /// A request.
    pub(super) fn observe<B>(&self, request: &Request<B>) -> Observation<'_> {
        let told = if self.access_log.takes_next() {
            Told::Line(Box::new(Line {
                method: request.method().as_str().chars().take(TOLD).collect(),
                path: request.uri().path().chars().take(TOLD).collect(),
                version: request.version(),
            }))
        } else {
            Told::No
        };
        let (method, route) = (Method::of(request.method()), Route::of(request.uri().path()));
        self.begin(method, route, Trace::of(request.headers()), told)
    }

    fn begin(&self, method: Method, route: Route, trace: Trace, told: Told) -> Observation<'_> {
        self.metrics.in_flight.inc();
        Observation {
            metrics: &self.metrics,
            method,
            route,
            trace,
            begin: Instant::now(),
            told,
        }
    }
}

impl Observation<'_> {
    /// The body has come too, which is when answering begins: the time that clients take is theirs.
    pub(super) fn restart(&mut self) {
        self.begin = Instant::now();
    }

    /// The answer is whole.
    pub(super) fn end(self, response: &Response<Full<Bytes>>) {
        let (status, time) = (response.status(), self.begin.elapsed());
        self.metrics.requests.count(self.method, self.route, status);
        self.metrics.durations.observe(self.route, status, time);
        let line = match &self.told {
            Told::No => return,
            Told::Rejected => None,
            Told::Line(line) => Some(line),
        };
        info!(
            httpRequest.requestMethod = line.map(|line| line.method.as_str()),
            httpRequest.requestUrl = line.map(|line| line.path.as_str()),
            httpRequest.status = status.as_u16(),
            httpRequest.responseSize = response.body().size_hint().exact(),
            httpRequest.latency = format!("{:.6}s", time.as_secs_f64()),
            httpRequest.protocol = line.map(|line| debug(line.version)),
            trace = self.trace.id(),
            "request"
        );
    }
}

impl Drop for Observation<'_> {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
    }
}
