//! The metrics of the host, in `OpenMetrics` text (<https://prometheus.io/docs/specs/om/open_metrics_spec/>).

use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime};

use http::{Method, StatusCode};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};
use nix::unistd::{SysconfVar, sysconf};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, MetricEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};
use wasmtime::Engine;

/// The prefix of the host's metric names.
const PREFIX: &str = "status_host";

/// The path of the service, a value of the label `route`.
const STATUS_PATH: &str = "/status";

/// Any other path or method, and malformed requests.
const OTHER: &str = "other";

/// The upper bounds of the buckets, in seconds. A request takes about 20 µs and at most its timeout, one second by
/// default; the latency objective is 10 ms.
const BOUNDS: [f64; 17] = [
    10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1.0,
    2.5,
];

type Labels<const N: usize> = [(&'static str, &'static str); N];

/// The metrics that the host updates.
pub(crate) struct Metrics {
    pub(crate) requests_in_flight: Gauge,
    pub(crate) connections_open: Gauge,
    pub(crate) connections_accepted: Counter,
    pub(crate) connections_evicted: Counter,
    pub(crate) accept_failures: Counter,
    pub(crate) dropped_events: Counter,
    requests: Family<StatusLabels, Counter>,
    request_durations: Family<Labels<2>, Histogram, fn() -> Histogram>,
    /// The series of the usual request, which it then need not look up.
    usual_requests: Counter,
    usual_durations: Histogram,
    instance_creation: Histogram,
    guest_time: Counter<f64, AtomicU64>,
    guest_failures: Family<Labels<1>, Counter>,
}

/// The labels of a request and its response.
type StatusLabels = (RequestLabels, [(&'static str, u16); 1]);

/// The labels of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    method: &'static str,
    route: &'static str,
}

impl RequestLabels {
    /// A request whose head could not be parsed.
    pub(crate) const MALFORMED: Self = Self {
        method: OTHER,
        route: OTHER,
    };

    /// `GET /status`.
    const USUAL: Self = Self {
        method: "GET",
        route: STATUS_PATH,
    };

    pub(crate) fn new(method: &Method, path: &str) -> Self {
        Self {
            method: match *method {
                Method::GET => "GET",
                Method::HEAD => "HEAD",
                Method::POST => "POST",
                Method::PUT => "PUT",
                Method::DELETE => "DELETE",
                Method::OPTIONS => "OPTIONS",
                Method::PATCH => "PATCH",
                _ => OTHER,
            },
            route: if path == STATUS_PATH { STATUS_PATH } else { OTHER },
        }
    }
}

fn status_labels(labels: RequestLabels, status: u16) -> StatusLabels {
    (labels, [("status", status)])
}

fn duration_labels(route: &'static str, status: u16) -> Labels<2> {
    let class = match status {
        ..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        500.. => "5xx",
    };
    [("route", route), ("class", class)]
}

fn duration_histogram() -> Histogram {
    Histogram::new(BOUNDS)
}

/// Registers a metric and returns it.
fn register<M: Clone + Metric>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

impl Metrics {
    /// Creates the metrics and registers them. Every series whose labels are known is created too, so that `rate()`
    /// sees the first increment.
    ///
    /// `failure_kinds` lists every value of the label `kind` of `guest_failures`.
    pub(crate) fn register(registry: &mut Registry, failure_kinds: &[&'static str]) -> Self {
        let registry = registry.sub_registry_with_prefix(PREFIX);
        let requests = Family::<StatusLabels, Counter>::default();
        for method in ["GET", "HEAD"] {
            for status in [200, 500, 502, 503, 504] {
                let route = STATUS_PATH;
                drop(requests.get_or_create(&status_labels(RequestLabels { method, route }, status)));
            }
        }
        let request_durations = Family::new_with_constructor(duration_histogram as fn() -> _);
        for route in [STATUS_PATH, OTHER] {
            for status in [200, 300, 400, 500] {
                drop(request_durations.get_or_create(&duration_labels(route, status)));
            }
        }
        let guest_failures = Family::default();
        for kind in failure_kinds {
            drop(guest_failures.get_or_create(&[("kind", *kind)]));
        }
        Self {
            usual_requests: requests.get_or_create_owned(&status_labels(RequestLabels::USUAL, 200)),
            usual_durations: request_durations.get_or_create_owned(&duration_labels(STATUS_PATH, 200)),
            requests: register(
                registry,
                "http_requests",
                "Requests answered, by method, route and status; of a malformed request, method and route are other",
                requests,
            ),
            request_durations: register(
                registry,
                "http_request_duration_seconds",
                "Time from the complete request to the complete response, by route and status class; \
                 excludes the time the client takes to send and receive",
                request_durations,
            ),
            requests_in_flight: register(
                registry,
                "http_requests_in_flight",
                "Complete requests without a complete response",
                Gauge::default(),
            ),
            connections_open: register(registry, "connections_open", "Open connections", Gauge::default()),
            connections_accepted: register(
                registry,
                "connections_accepted",
                "Connections accepted",
                Counter::default(),
            ),
            connections_evicted: register(
                registry,
                "connections_evicted",
                "Idle connections closed at the connection limit, each to admit a new one",
                Counter::default(),
            ),
            accept_failures: register(
                registry,
                "accept_failures",
                "Failed attempts to accept a connection",
                Counter::default(),
            ),
            dropped_events: register(
                registry,
                "log_events_dropped",
                "Log events dropped because the queue was full or writing to standard error failed",
                Counter::default(),
            ),
            instance_creation: register(
                registry,
                "instance_creation_duration_seconds",
                "Time to create an instance of the component; one is created at start-up and one for each request \
                 that reaches the component",
                duration_histogram(),
            ),
            guest_time: register(
                registry,
                "guest_seconds",
                "Wall-clock time that requests spent in the component, including host calls and waiting for a CPU",
                Counter::default(),
            ),
            guest_failures: register(
                registry,
                "guest_failures",
                "Requests to which the component returned no valid response, by kind of failure",
                guest_failures,
            ),
        }
    }

    /// Counts a request and its response.
    pub(crate) fn count_request(&self, labels: RequestLabels, status: StatusCode, duration: Duration) {
        let (status, seconds) = (status.as_u16(), duration.as_secs_f64());
        if labels == RequestLabels::USUAL && status == 200 {
            self.usual_requests.inc();
            self.usual_durations.observe(seconds);
        } else {
            self.requests.get_or_create(&status_labels(labels, status)).inc();
            let labels = duration_labels(labels.route, status);
            self.request_durations.get_or_create(&labels).observe(seconds);
        }
    }

    pub(crate) fn record_instantiation(&self, duration: Duration) {
        self.instance_creation.observe(duration.as_secs_f64());
    }

    pub(crate) fn record_guest(&self, duration: Duration) {
        self.guest_time.inc_by(duration.as_secs_f64());
    }

    /// Counts a failed call.
    pub(crate) fn count_failure(&self, kind: &'static str) {
        self.guest_failures.get_or_create(&[("kind", kind)]).inc();
    }
}

/// Registers build information and limits, which do not change, and the number of instances in `engine`.
pub(crate) fn register_constants(
    registry: &mut Registry,
    build_info: Vec<(&'static str, String)>,
    max_connections: u32,
    max_instances: u32,
    engine: Engine,
) {
    let registry = registry.sub_registry_with_prefix(PREFIX);
    registry.register(
        "build",
        "Versions of application, host and runtime, and the digest of the component",
        Info::new(build_info),
    );
    registry.register(
        "connections_limit",
        "Maximum number of open connections",
        ConstGauge::new(max_connections),
    );
    registry.register(
        "instances_in_use",
        "Instances of the component that exist now",
        InstancesInUse(engine),
    );
    registry.register(
        "instances_limit",
        "Maximum number of concurrent instances of the component",
        ConstGauge::new(max_instances),
    );
}

/// The current values of all metrics.
pub(crate) fn encode(registry: &Registry) -> String {
    let mut text = String::new();
    // Writing to a string never fails.
    let _ = text::encode(&mut text, registry);
    text
}

/// The number of live instances, read from wasmtime's pooling allocator on each scrape.
#[derive(Debug)]
struct InstancesInUse(Engine);

impl EncodeMetric for InstancesInUse {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        let pool = self.0.pooling_allocator_metrics();
        encoder.encode_gauge(&pool.map_or(0, |pool| pool.component_instances()))
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }
}

/// Process metrics under the standard Prometheus names, as far as they need no further files: the lockdown denies
/// opening them.
#[derive(Debug)]
pub(crate) struct ProcessCollector {
    /// Since the Unix epoch.
    start_time: Duration,
    /// In bytes.
    page_size: u64,
    /// `/proc/self/statm`, if `/proc` is mounted.
    statm: Option<File>,
}

impl ProcessCollector {
    /// Opens `/proc/self/statm` and records the start time.
    pub(crate) fn open() -> Self {
        let start_time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let page_size = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
        Self {
            start_time: start_time.unwrap_or_default(),
            page_size: page_size.and_then(|bytes| bytes.try_into().ok()).unwrap_or_default(),
            statm: File::open("/proc/self/statm").ok(),
        }
    }

    /// Bytes (`proc_pid_statm(5)`).
    fn resident_memory(&self) -> Option<u64> {
        let mut buffer = [0; 256];
        let length = self.statm.as_ref()?.read_at(&mut buffer, 0).ok()?;
        let pages = str::from_utf8(buffer.get(..length)?).ok()?.split(' ').nth(1)?;
        pages.parse::<u64>().ok()?.checked_mul(self.page_size)
    }
}

/// User and system time of all threads, in seconds.
fn cpu_seconds() -> Option<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    #[expect(
        clippy::cast_precision_loss,
        reason = "a century of microseconds is below 2^53, which f64 represents exactly"
    )]
    let seconds = |time: TimeVal| time.num_microseconds() as f64 / 1e6;
    Some(seconds(usage.user_time()) + seconds(usage.system_time()))
}

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let mut encode = |name: &str, help: &str, metric: &dyn EncodeMetric| {
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
        };
        encode(
            "process_cpu_seconds",
            "User and system CPU time of all threads, in seconds",
            &ConstCounter::new(cpu_seconds().unwrap_or_default()),
        )?;
        encode(
            "process_start_time_seconds",
            "Start time of the process, in seconds since the Unix epoch",
            &ConstGauge::new(self.start_time.as_secs_f64()),
        )?;
        match self.resident_memory() {
            Some(bytes) => encode(
                "process_resident_memory_bytes",
                "Resident memory, in bytes",
                &ConstGauge::new(bytes),
            ),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const KINDS: [&str; 2] = ["trap", "timeout"];

    /// Whether the metrics contain this line.
    #[track_caller]
    fn assert_has(registry: &Registry, line: &str) {
        let text = encode(registry);
        assert!(text.lines().any(|other| other == line), "no {line} in {text}");
    }

    #[test]
    fn series_with_known_labels_exist_before_the_first_event() {
        let mut registry = Registry::default();
        Metrics::register(&mut registry, &KINDS);
        for status in [200, 500, 502, 503, 504] {
            for method in ["GET", "HEAD"] {
                let labels = format!(r#"method="{method}",route="/status",status="{status}""#);
                assert_has(&registry, &format!("status_host_http_requests_total{{{labels}}} 0"));
            }
        }
        for kind in KINDS {
            assert_has(
                &registry,
                &format!(r#"status_host_guest_failures_total{{kind="{kind}"}} 0"#),
            );
        }
        for counter in ["accept_failures", "connections_evicted", "log_events_dropped"] {
            assert_has(&registry, &format!("status_host_{counter}_total 0"));
        }
    }

    #[test]
    fn request_cannot_create_label_values() {
        let other = RequestLabels::new(&Method::from_bytes(b"BREW").unwrap(), "/status/1");
        assert_eq!(other, RequestLabels::MALFORMED);
        let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];
        for method in known {
            let labels = RequestLabels::new(&method.parse().unwrap(), "/status");
            assert_eq!((labels.method, labels.route), (method, "/status"));
        }
        for method in ["get", "TRACE", "PROPFIND"] {
            assert_eq!(RequestLabels::new(&method.parse().unwrap(), "/").method, OTHER);
        }
    }

    #[test]
    fn usual_and_other_requests_share_their_series_and_buckets() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry, &KINDS);
        let head = RequestLabels::new(&Method::HEAD, "/status");
        for (labels, status) in [(RequestLabels::USUAL, 200), (RequestLabels::USUAL, 404), (head, 200)] {
            metrics.count_request(labels, StatusCode::from_u16(status).unwrap(), Duration::from_millis(10));
        }
        for line in [
            r#"status_host_http_requests_total{method="GET",route="/status",status="200"} 1"#,
            r#"status_host_http_requests_total{method="GET",route="/status",status="404"} 1"#,
            r#"status_host_http_requests_total{method="HEAD",route="/status",status="200"} 1"#,
            r#"status_host_http_request_duration_seconds_count{route="/status",class="2xx"} 2"#,
            r#"status_host_http_request_duration_seconds_bucket{le="0.005",route="/status",class="2xx"} 0"#,
            r#"status_host_http_request_duration_seconds_bucket{le="0.01",route="/status",class="2xx"} 2"#,
        ] {
            assert_has(&registry, line);
        }
    }
}
