//! The requests answered, by method, route and status: labels of closed sets, counted in a table and so without a lock.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use super::histogram::Histogram;

/// The final statuses that there are (RFC 9110 section 15).
const STATUSES: std::ops::Range<u16> = 200..600;

/// The method of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// HEAD
    Head,
    /// POST
    Post,
    /// PUT
    Put,
    /// DELETE
    Delete,
    /// OPTIONS
    Options,
    /// PATCH
    Patch,
    /// Another, or none that could be read.
    Other,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/status`
    Status,
    /// Anything else.
    Other,
}

/// The requests answered. Clones count into the same.
#[derive(Clone, Debug)]
pub struct Requests(Arc<[AtomicU64]>);

/// How long answers took, by route and class of the status. Clones count into the same.
#[derive(Clone, Debug, Default)]
pub struct Durations([[Histogram; CLASSES.len()]; Route::ALL.len()]);

/// The classes of the final statuses (RFC 9110 section 15).
const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

impl Method {
    const ALL: [Self; 8] = [
        Self::Get,
        Self::Head,
        Self::Post,
        Self::Put,
        Self::Delete,
        Self::Options,
        Self::Patch,
        Self::Other,
    ];

    /// The method as it is counted.
    #[must_use]
    pub fn of(method: &http::Method) -> Self {
        match *method {
            http::Method::GET => Self::Get,
            http::Method::HEAD => Self::Head,
            http::Method::POST => Self::Post,
            http::Method::PUT => Self::Put,
            http::Method::DELETE => Self::Delete,
            http::Method::OPTIONS => Self::Options,
            http::Method::PATCH => Self::Patch,
            _ => Self::Other,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Patch => "PATCH",
            Self::Other => "other",
        }
    }
}

impl Route {
    const ALL: [Self; 2] = [Self::Status, Self::Other];

    /// The path as it is counted.
    #[must_use]
    pub fn of(path: &str) -> Self {
        if path == "/status" { Self::Status } else { Self::Other }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Status => "/status",
            Self::Other => "other",
        }
    }
}

impl Default for Requests {
    fn default() -> Self {
        let places = Method::ALL.len() * Route::ALL.len() * STATUSES.len();
        Self((0..places).map(|_| AtomicU64::default()).collect())
    }
}

impl Requests {
    /// Counts a request that is answered with `status`, which is a final one.
    pub fn count(&self, method: Method, route: Route, status: StatusCode) {
        let place = Some(status.as_u16()).filter(|status| STATUSES.contains(status));
        let place = place.map(|status| place_of(method, route, status));
        if let Some(count) = place.and_then(|place| self.0.get(place)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn place_of(method: Method, route: Route, status: u16) -> usize {
    let series = method as usize * Route::ALL.len() + route as usize;
    series * STATUSES.len() + usize::from(status - STATUSES.start)
}

/// Whether a series is told of before its first request: a rate needs a value to rise from, and the first failure is to
/// be seen.
fn is_expected(method: Method, route: Route, status: u16) -> bool {
    matches!(method, Method::Get | Method::Head)
        && route == Route::Status
        && matches!(status, 200 | 500 | 502 | 503 | 504)
}

impl EncodeMetric for Requests {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        for method in Method::ALL {
            for route in Route::ALL {
                for status in STATUSES {
                    let count = self.0.get(place_of(method, route, status));
                    let count = count.map_or(0, |count| count.load(Ordering::Relaxed));
                    if count == 0 && !is_expected(method, route, status) {
                        continue;
                    }
                    let status = status.to_string();
                    let labels = [
                        ("method", method.label()),
                        ("route", route.label()),
                        ("status", &status),
                    ];
                    let mut encoder = encoder.encode_family(&labels)?;
                    encoder.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
                }
            }
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}

impl Durations {
    /// Counts one answer with `status`, which is a final one.
    pub fn observe(&self, route: Route, status: StatusCode, duration: Duration) {
        let Self(routes) = self;
        let class = usize::from(status.as_u16() / 100).checked_sub(2);
        let histogram = routes
            .get(route as usize)
            .zip(class)
            .and_then(|(classes, class)| classes.get(class));
        if let Some(histogram) = histogram {
            histogram.observe(duration);
        }
    }
}

impl EncodeMetric for Durations {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        let Self(routes) = self;
        for (route, classes) in Route::ALL.iter().zip(routes) {
            for (class, histogram) in CLASSES.iter().zip(classes) {
                let labels = [("route", route.label()), ("class", class)];
                histogram.encode(encoder.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}
