//! Durations, counted without a lock: those of the library are behind one, and two are taken for every request.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// The upper bounds of the buckets, in microseconds: a request takes some twenty, and may take up to its time-out, of
/// which one second is the default. The objective is at ten milliseconds.
const BOUNDS: [u32; 17] = [
    10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000,
];

/// How often something took how long. Clones count into the same.
#[derive(Clone, Debug, Default)]
pub struct Histogram(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    buckets: [AtomicU64; BOUNDS.len()],
    above: AtomicU64,
    nanoseconds: AtomicU64,
}

impl Histogram {
    /// Counts one duration.
    pub fn observe(&self, duration: Duration) {
        let (counts, nanoseconds) = (&*self.0, nanoseconds(duration));
        let bucket = BOUNDS.partition_point(|bound| u64::from(*bound) * 1_000 < nanoseconds);
        let bucket = counts.buckets.get(bucket).unwrap_or(&counts.above);
        bucket.fetch_add(1, Ordering::Relaxed);
        counts.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let bounds = BOUNDS
            .iter()
            .map(|bound| f64::from(*bound) / 1e6)
            .chain([f64::INFINITY]);
        let counts = self.0.buckets.iter().chain([&self.0.above]).map(load);
        let buckets: Vec<_> = bounds.zip(counts).collect();
        // Of the buckets themselves, so that it agrees with them whatever is counted meanwhile.
        let count = buckets.iter().map(|(_, count)| count).sum();
        encoder.encode_histogram::<NoLabelSet>(seconds(load(&self.0.nanoseconds)), count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

/// Time spent in something, in all. Clones count into the same.
#[derive(Clone, Debug, Default)]
pub struct Stopwatch(Arc<AtomicU64>);

/// Counts the time until it is dropped, however that comes about.
pub struct Running<'a>(&'a Stopwatch, Instant);

impl Stopwatch {
    /// Counts the time from `now` on.
    #[must_use]
    pub fn run_from(&self, now: Instant) -> Running<'_> {
        Running(self, now)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let Self(Stopwatch(time), begin) = self;
        time.fetch_add(nanoseconds(begin.elapsed()), Ordering::Relaxed);
    }
}

impl EncodeMetric for Stopwatch {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        let seconds = seconds(self.0.load(Ordering::Relaxed));
        encoder.encode_counter::<NoLabelSet, _, u64>(&seconds, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}

/// Enough for five hundred years.
fn nanoseconds(duration: Duration) -> u64 {
    duration.as_nanos().try_into().unwrap_or(u64::MAX)
}

fn seconds(nanoseconds: u64) -> f64 {
    Duration::from_nanos(nanoseconds).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn a_duration_is_in_the_first_bucket_that_is_not_below_it() {
        let mut registry = Registry::default();
        let histogram = Histogram::default();
        registry.register("h", "H", histogram.clone());
        for nanoseconds in [0, 10_000, 10_001, 10_000_000, 10_000_001, 2_500_000_000, 3_000_000_000] {
            histogram.observe(Duration::from_nanos(nanoseconds));
        }
        let mut text = String::new();
        assert!(prometheus_client::encoding::text::encode(&mut text, &registry).is_ok());
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
            assert!(text.lines().any(|told| told == line), "no {line} in {text}");
        }
    }
}
