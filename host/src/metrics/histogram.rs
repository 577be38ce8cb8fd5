//! Durations in plain atomics. The histogram of `prometheus-client` takes a lock, and every request observes two.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// The upper bounds of the buckets, in microseconds. A request takes about 20 µs and at most its timeout, one second by
/// default; the latency objective is 10 ms.
const BOUNDS: [u32; 17] = [
    10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000,
];

/// A histogram of durations, in seconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram(Arc<Buckets>);

#[derive(Debug, Default)]
struct Buckets {
    counts: [AtomicU64; BOUNDS.len()],
    above_last_bound: AtomicU64,
    total_nanos: AtomicU64,
}

impl Histogram {
    pub(super) fn observe(&self, duration: Duration) {
        let (buckets, nanos) = (&*self.0, saturating_nanos(duration));
        let index = BOUNDS.partition_point(|bound| u64::from(*bound) * 1_000 < nanos);
        let count = buckets.counts.get(index).unwrap_or(&buckets.above_last_bound);
        count.fetch_add(1, Ordering::Relaxed);
        buckets.total_nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let bounds = BOUNDS
            .iter()
            .map(|bound| f64::from(*bound) / 1e6)
            .chain([f64::INFINITY]);
        let counts = self.0.counts.iter().chain([&self.0.above_last_bound]).map(load);
        let buckets: Vec<_> = bounds.zip(counts).collect();
        // The sum of the loaded values agrees with the buckets even if another thread observes at the same time.
        let count = buckets.iter().map(|(_, count)| count).sum();
        encoder.encode_histogram::<NoLabelSet>(seconds(load(&self.0.total_nanos)), count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

/// A counter of elapsed time, in seconds.
#[derive(Clone, Debug, Default)]
pub(super) struct DurationCounter(Arc<AtomicU64>);

impl DurationCounter {
    pub(super) fn add(&self, duration: Duration) {
        self.0.fetch_add(saturating_nanos(duration), Ordering::Relaxed);
    }
}

impl EncodeMetric for DurationCounter {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        let seconds = seconds(self.0.load(Ordering::Relaxed));
        encoder.encode_counter::<NoLabelSet, _, u64>(&seconds, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}

/// 64 bits hold more than 500 years.
fn saturating_nanos(duration: Duration) -> u64 {
    duration.as_nanos().try_into().unwrap_or(u64::MAX)
}

fn seconds(nanos: u64) -> f64 {
    Duration::from_nanos(nanos).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn histogram_bucket_includes_its_upper_bound() {
        let mut registry = Registry::default();
        let histogram = Histogram::default();
        registry.register("h", "H", histogram.clone());
        for nanos in [0, 10_000, 10_001, 10_000_000, 10_000_001, 2_500_000_000, 3_000_000_000] {
            histogram.observe(Duration::from_nanos(nanos));
        }
        let mut text = String::new();
        assert!(encode(&mut text, &registry).is_ok());
        for line in [
            "h_sum 5.520020002",
            "h_count 7",
            "h_bucket{le=\"0.00001\"} 2",
            "h_bucket{le=\"0.000025\"} 3",
            "h_bucket{le=\"0.005\"} 3",
            "h_bucket{le=\"0.01\"} 4",
            "h_bucket{le=\"0.025\"} 5",
            "h_bucket{le=\"2.5\"} 6",
            "h_bucket{le=\"+Inf\"} 7",
        ] {
            assert!(text.lines().any(|actual| actual == line), "no {line} in {text}");
        }
    }
}
