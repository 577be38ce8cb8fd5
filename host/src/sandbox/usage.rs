//! How many instances are in use, as the pool knows it: nothing is counted for it on the way of a request.

use std::fmt;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use wasmtime::Engine;

/// The instances that live now, as a metric.
#[derive(Debug)]
pub struct InstancesInUse(pub Engine);

impl EncodeMetric for InstancesInUse {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        let pool = self.0.pooling_allocator_metrics();
        encoder.encode_gauge(&pool.map_or(0, |pool| pool.component_instances()))
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }
}
