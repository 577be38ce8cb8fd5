//! Metrics of the component and its instances.

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};
use wasmtime::Engine;

use super::histogram::{DurationCounter, Histogram};
use super::registry::{Label, preregister};

/// Timings and failures of component calls.
pub(crate) struct SandboxMetrics {
    instantiation: Histogram,
    guest: DurationCounter,
    failures: Family<Label, Counter>,
}

impl SandboxMetrics {
    pub(super) fn register(registry: &mut Registry, failure_kinds: &[&'static str]) -> Self {
        let instantiation = Histogram::default();
        registry.register_with_unit(
            "instance_creation_duration",
            "Time to create an instance of the component; one is created at start-up and one for each request that \
             reaches the component",
            Unit::Seconds,
            instantiation.clone(),
        );
        let guest = DurationCounter::default();
        registry.register_with_unit(
            "guest",
            "Wall-clock time that requests spent in the component, including host calls and waiting for a CPU",
            Unit::Seconds,
            guest.clone(),
        );
        let failures = preregister(
            registry,
            "guest_failures",
            "Requests to which the component returned no valid response, by kind of failure",
            failure_kinds.iter().copied().map(failure_label),
        );
        Self {
            instantiation,
            guest,
            failures,
        }
    }

    pub(crate) fn record_instantiation(&self, duration: Duration) {
        self.instantiation.observe(duration);
    }

    pub(crate) fn record_guest(&self, duration: Duration) {
        self.guest.add(duration);
    }

    /// Counts a failed call.
    pub(crate) fn count_failure(&self, kind: &'static str) {
        self.failures.get_or_create(&failure_label(kind)).inc();
    }
}

fn failure_label(kind: &'static str) -> Label {
    [("kind", kind)]
}

/// The number of live instances, read from wasmtime's pooling allocator on each scrape.
#[derive(Debug)]
pub(crate) struct InstancesInUse(pub(crate) Engine);

impl EncodeMetric for InstancesInUse {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        let pool = self.0.pooling_allocator_metrics();
        encoder.encode_gauge(&pool.map_or(0, |pool| pool.component_instances()))
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }
}
