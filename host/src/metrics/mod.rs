//! The metrics of the host. Counters of every request are plain atomics; refusals and failures take a read lock.

mod histogram;
mod process;
mod registry;
mod requests;
mod sandbox;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use registry::{Label, preregister};
use requests::{Durations, Requests};
use sandbox::SandboxMetrics;

pub(crate) use process::ProcessCollector;
pub(crate) use registry::ExpositionFormat;
pub use registry::MetricsRegistry;
pub(crate) use requests::{Method, Route, STATUS_PATH};
pub(crate) use sandbox::InstancesInUse;

/// Why a connection over the limit is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Its first request gets 503.
    Limit,
    /// Too many connections are waiting for their 503, so it is closed at once.
    Flood,
}

/// The metrics that the host updates. Clones of a metric share its value.
pub struct Metrics {
    pub(crate) requests: Requests,
    pub(crate) request_durations: Durations,
    pub(crate) requests_in_flight: Gauge,
    /// Excludes connections over the limit.
    pub(crate) connections_open: Gauge,
    /// Includes connections over the limit.
    pub(crate) connections_accepted: Counter,
    /// Idle ones that were closed to admit others.
    pub(crate) connections_evicted: Counter,
    pub(crate) accept_failures: Counter,
    pub(crate) dropped_events: Counter,
    pub(crate) suppressed_events: Counter,
    pub(crate) sandbox: SandboxMetrics,
    refused: Family<Label, Counter>,
}

/// A connection that counts as open.
pub(crate) struct OpenConnection(Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Refusal {
    const ALL: [Self; 2] = [Self::Limit, Self::Flood];

    fn label(self) -> Label {
        let reason = match self {
            Self::Limit => "limit",
            Self::Flood => "flood",
        };
        [("reason", reason)]
    }
}

impl Metrics {
    /// Creates the metrics and registers them.
    ///
    /// `failure_kinds` lists every value of the label `kind` of `guest_failures`.
    #[must_use]
    pub fn register(registry: &mut Registry, failure_kinds: &[&'static str]) -> Self {
        let metrics = Self {
            requests: Requests::default(),
            request_durations: Durations::default(),
            requests_in_flight: Gauge::default(),
            connections_open: Gauge::default(),
            connections_accepted: Counter::default(),
            connections_evicted: Counter::default(),
            accept_failures: Counter::default(),
            dropped_events: Counter::default(),
            suppressed_events: Counter::default(),
            sandbox: SandboxMetrics::register(registry, failure_kinds),
            refused: preregister(
                registry,
                "connections_refused",
                "Connections over the limit, by reason: limit is answered with 503, flood is closed without a response",
                Refusal::ALL.map(Refusal::label),
            ),
        };
        metrics.register_requests(registry);
        metrics.register_connections(registry);
        registry.register(
            "log_events_dropped",
            "Log events dropped because the queue was full or writing to standard error failed",
            metrics.dropped_events.clone(),
        );
        registry.register(
            "log_events_suppressed",
            "Warnings and errors not logged because the same message was logged too often within a second",
            metrics.suppressed_events.clone(),
        );
        metrics
    }

    fn register_requests(&self, registry: &mut Registry) {
        registry.register(
            "http_requests",
            "Requests answered, by method, route and status; if the head was rejected, method and route are other",
            self.requests.clone(),
        );
        registry.register_with_unit(
            "http_request_duration",
            "Time from the complete request to the complete response, by route and status class; \
             excludes the time the client takes to send and receive",
            Unit::Seconds,
            self.request_durations.clone(),
        );
        registry.register(
            "http_requests_in_flight",
            "Requests in progress, including those whose body is still being received",
            self.requests_in_flight.clone(),
        );
    }

    fn register_connections(&self, registry: &mut Registry) {
        registry.register(
            "connections_open",
            "Open connections that are served; excludes connections over the limit",
            self.connections_open.clone(),
        );
        registry.register(
            "connections_accepted",
            "Connections accepted, including those over the limit",
            self.connections_accepted.clone(),
        );
        registry.register(
            "connections_evicted",
            "Idle connections closed at the connection limit, each to admit a new one",
            self.connections_evicted.clone(),
        );
        registry.register(
            "accept_failures",
            "Failed attempts to accept a connection, for example because file descriptors ran out",
            self.accept_failures.clone(),
        );
    }

    /// Counts a connection as open until the guard is dropped.
    pub(crate) fn open_connection(&self) -> OpenConnection {
        self.connections_open.inc();
        OpenConnection(self.connections_open.clone())
    }

    /// Counts a connection over the limit.
    pub(crate) fn count_refusal(&self, refusal: Refusal) {
        self.refused.get_or_create(&refusal.label()).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_value_is_exposed_before_first_increment() {
        let mut registry = MetricsRegistry::default();
        let metrics = Metrics::register(registry.host_scope(), &["trap", "timeout"]);
        metrics.count_refusal(Refusal::Flood);
        metrics.sandbox.count_failure("trap");
        let text = registry.encode(ExpositionFormat::Prometheus);
        for line in [
            "status_host_connections_refused_total{reason=\"limit\"} 0",
            "status_host_connections_refused_total{reason=\"flood\"} 1",
            "status_host_guest_failures_total{kind=\"trap\"} 1",
            "status_host_guest_failures_total{kind=\"timeout\"} 0",
            "status_host_http_requests_total{method=\"GET\",route=\"/status\",status=\"503\"} 0",
        ] {
            assert!(text.lines().any(|actual| actual == line), "no {line} in {text}");
        }
    }
}
