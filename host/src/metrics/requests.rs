//! Answered requests by method, route and status. The label values are closed sets, so the counters form an array and
//! need no lock.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use super::histogram::Histogram;

/// The path of the service, the label value of [`Route::Status`].
pub(crate) const STATUS_PATH: &str = "/status";

/// The final status codes (RFC 9110 section 15).
const STATUSES: Range<u16> = 200..600;

/// The classes of final status codes.
const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Options,
    Patch,
    /// Any other method, and malformed requests.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Status,
    /// Any other path, and malformed requests.
    Other,
}

/// The number of answered requests by method, route and status.
#[derive(Clone, Debug)]
pub(crate) struct Requests(Arc<[AtomicU64]>);

/// Response times by route and status class.
#[derive(Clone, Debug, Default)]
pub(crate) struct Durations([[Histogram; CLASSES.len()]; Route::ALL.len()]);

impl From<&http::Method> for Method {
    fn from(method: &http::Method) -> Self {
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
}

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

impl From<&str> for Route {
    fn from(path: &str) -> Self {
        if path == STATUS_PATH { Self::Status } else { Self::Other }
    }
}

impl Route {
    const ALL: [Self; 2] = [Self::Status, Self::Other];

    fn label(self) -> &'static str {
        match self {
            Self::Status => STATUS_PATH,
            Self::Other => "other",
        }
    }
}

impl Default for Requests {
    fn default() -> Self {
        let series = Method::ALL.len() * Route::ALL.len() * STATUSES.len();
        Self((0..series).map(|_| AtomicU64::default()).collect())
    }
}

impl Requests {
    /// Counts a request that was answered with the final status code `status`.
    pub(crate) fn count(&self, method: Method, route: Route, status: StatusCode) {
        let status = Some(status.as_u16()).filter(|status| STATUSES.contains(status));
        let index = status.map(|status| index(method, route, status));
        if let Some(count) = index.and_then(|index| self.0.get(index)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn index(method: Method, route: Route, status: u16) -> usize {
    let first = (method as usize * Route::ALL.len() + route as usize) * STATUSES.len();
    first + usize::from(status - STATUSES.start)
}

/// Whether a series is exposed before its first request, so that `rate()` sees the first increment.
fn is_preregistered(method: Method, route: Route, status: u16) -> bool {
    matches!(method, Method::Get | Method::Head)
        && route == Route::Status
        && matches!(status, 200 | 500 | 502 | 503 | 504)
}

impl EncodeMetric for Requests {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        for method in Method::ALL {
            for route in Route::ALL {
                for status in STATUSES {
                    let count = self.0.get(index(method, route, status));
                    let count = count.map_or(0, |count| count.load(Ordering::Relaxed));
                    if count == 0 && !is_preregistered(method, route, status) {
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
    /// Records a response with the final status code `status`.
    pub(crate) fn observe(&self, route: Route, status: StatusCode, duration: Duration) {
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
