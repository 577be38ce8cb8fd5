//! What is counted. What a request touches on its way is a plain atomic number; locks are behind what is rare.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::histogram::{Histogram, Stopwatch};
use super::requests::{Durations, Requests};

type Label = [(&'static str, &'static str); 1];

/// How the component failed to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestFailure {
    /// It ended in a trap, or could not be started.
    Trap,
    /// It did not end in time.
    Timeout,
    /// It would take more memory than it may.
    Memory,
    /// It would take more of something else than it may.
    Limit,
    /// It returned without a response.
    NoResponse,
    /// It answered with an error in place of a response.
    Error,
    /// Its response is not whole, contradicts itself, or is too long.
    InvalidResponse,
}

/// Why a connection is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its first request is refused with 503.
    Told,
    /// It is closed at once.
    Closed,
}

/// The counts of this process. Clones of what is in it count into the same.
pub struct Metrics {
    /// The requests answered.
    pub requests: Requests,
    /// How long that took.
    pub durations: Durations,
    /// Requests that are being answered.
    pub in_flight: Gauge,
    /// Connections that are open.
    pub connections: Gauge,
    /// Connections accepted.
    pub accepted: Counter,
    /// Failed attempts to accept one.
    pub accept_failures: Counter,
    /// How long it took to make each instance.
    pub instances: Histogram,
    /// Time spent in the component.
    pub guest: Stopwatch,
    /// Events of the log that were lost.
    pub lost_events: Counter,
    refused: Family<Label, Counter>,
    guest_failures: Family<Label, Counter>,
}

impl GuestFailure {
    const ALL: [Self; 7] = [
        Self::Trap,
        Self::Timeout,
        Self::Memory,
        Self::Limit,
        Self::NoResponse,
        Self::Error,
        Self::InvalidResponse,
    ];

    fn label(self) -> Label {
        let kind = match self {
            Self::Trap => "trap",
            Self::Timeout => "timeout",
            Self::Memory => "memory",
            Self::Limit => "limit",
            Self::NoResponse => "no_response",
            Self::Error => "error",
            Self::InvalidResponse => "invalid_response",
        };
        [("kind", kind)]
    }
}

impl Refusal {
    const ALL: [Self; 2] = [Self::Told, Self::Closed];

    fn label(self) -> Label {
        let reason = match self {
            Self::Told => "limit",
            Self::Closed => "flood",
        };
        [("reason", reason)]
    }
}

impl Metrics {
    /// Counts from nothing, told of by `registry`.
    #[must_use]
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Requests::default(),
            durations: Durations::default(),
            in_flight: Gauge::default(),
            connections: Gauge::default(),
            accepted: Counter::default(),
            accept_failures: Counter::default(),
            instances: Histogram::default(),
            guest: Stopwatch::default(),
            lost_events: Counter::default(),
            refused: Family::default(),
            guest_failures: Family::default(),
        };
        // A rate needs a value to rise from.
        for refusal in Refusal::ALL {
            let _ = metrics.refused.get_or_create(&refusal.label());
        }
        for failure in GuestFailure::ALL {
            let _ = metrics.guest_failures.get_or_create(&failure.label());
        }
        metrics.register_requests(registry);
        metrics.register_connections(registry);
        metrics.register_sandbox(registry);
        registry.register(
            "log_events_lost",
            "Events of the log that were dropped because the reader of standard error did not keep up",
            metrics.lost_events.clone(),
        );
        metrics
    }

    fn register_requests(&self, registry: &mut Registry) {
        registry.register(
            "http_requests",
            "Requests answered, by method, route and status; what could not be read as a request has the method and the route other",
            self.requests.clone(),
        );
        registry.register_with_unit(
            "http_request_duration",
            "Time from the whole request to the whole answer, by route; what the client takes to send and to receive is not in it",
            Unit::Seconds,
            self.durations.clone(),
        );
        registry.register(
            "http_requests_in_flight",
            "Requests that are being answered, their bodies still to come included",
            self.in_flight.clone(),
        );
    }

    fn register_connections(&self, registry: &mut Registry) {
        registry.register(
            "connections_open",
            "Connections that are open, those that are being refused included",
            self.connections.clone(),
        );
        registry.register(
            "connections_accepted",
            "Connections taken from the kernel, those that are refused included",
            self.accepted.clone(),
        );
        registry.register(
            "connections_refused",
            "Connections above the limit, by reason: limit is answered with 503, flood is closed without an answer",
            self.refused.clone(),
        );
        registry.register(
            "accept_failures",
            "Failed attempts to accept a connection, such as for lack of file descriptors",
            self.accept_failures.clone(),
        );
    }

    fn register_sandbox(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "instance_creation_duration",
            "Time to make an instance of the component; one is made at the start, and one for each request",
            Unit::Seconds,
            self.instances.clone(),
        );
        registry.register_with_unit(
            "guest",
            "Time spent in the component, host functions that it called included",
            Unit::Seconds,
            self.guest.clone(),
        );
        registry.register(
            "guest_failures",
            "Requests that the component gave no valid answer to, by kind of failure",
            self.guest_failures.clone(),
        );
    }

    /// Counts a connection that is not served.
    pub fn refuse(&self, refusal: Refusal) {
        self.refused.get_or_create(&refusal.label()).inc();
    }

    /// Counts a request that the component failed to answer.
    pub fn guest_failed(&self, failure: GuestFailure) {
        self.guest_failures.get_or_create(&failure.label()).inc();
    }
}
