//! What is counted, in plain atomic numbers: a lock is taken for none of it.

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
    /// Connections that are open and served.
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
    refused: [Counter; Refusal::ALL.len()],
    guest_failures: [Counter; GuestFailure::ALL.len()],
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
            refused: family(
                registry,
                "connections_refused",
                "Connections above the limit, by reason: limit is answered with 503, flood is closed without an answer",
                Refusal::ALL.map(Refusal::label),
            ),
            guest_failures: family(
                registry,
                "guest_failures",
                "Requests that the component gave no valid answer to, by kind of failure",
                GuestFailure::ALL.map(GuestFailure::label),
            ),
        };
        metrics.register_requests(registry);
        metrics.register_connections(registry);
        metrics.register_sandbox(registry);
        registry.register(
            "log_events_lost",
            "Events of the log that could not be written, or were dropped because the reader of standard error did not keep up",
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
            "Time from the whole request to the whole answer, by route and class of the status; what the client takes to send and to receive is not in it",
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
            "Connections that are open and served; those that are refused are not",
            self.connections.clone(),
        );
        registry.register(
            "connections_accepted",
            "Connections taken from the kernel, those that are refused included",
            self.accepted.clone(),
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
            "Time to make an instance of the component; one is made at the start, and one for each request that gets so far",
            Unit::Seconds,
            self.instances.clone(),
        );
        registry.register_with_unit(
            "guest",
            "Time from the start to the end of the component in each request, by the clock; host functions that it calls, and waiting for the processor, are in it",
            Unit::Seconds,
            self.guest.clone(),
        );
    }

    /// Counts a connection that is not served.
    pub fn refuse(&self, refusal: Refusal) {
        count(&self.refused, refusal as usize);
    }

    /// Counts a request that the component failed to answer.
    pub fn guest_failed(&self, failure: GuestFailure) {
        count(&self.guest_failures, failure as usize);
    }
}

fn count(counters: &[Counter], index: usize) {
    if let Some(counter) = counters.get(index) {
        counter.inc();
    }
}

/// Counters of which each is told of from the start: a rate needs a value to rise from.
fn family<const N: usize>(registry: &mut Registry, name: &str, help: &str, labels: [Label; N]) -> [Counter; N] {
    let family = Family::<Label, Counter>::default();
    registry.register(name, help, family.clone());
    labels.map(|label| family.get_or_create_owned(&label))
}
