//! A real Prometheus scrapes real services while they are loaded, overloaded, restarted and failed by their guest; and what
//! it knows then is what the clients have done. `make test-ops` runs it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Process, Service};

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy");

/// The longest that Prometheus may take to know what has happened.
const PATIENCE: Duration = Duration::from_secs(30);

/// Requests by method, route and status, as a client has counted them.
type Counts = BTreeMap<(&'static str, &'static str, u16), u64>;

/// A Prometheus that scrapes the four services of the scenario, with the rules and alerts that are deployed.
struct Prometheus {
    address: SocketAddr,
    _process: Process,
    _directory: tempfile::TempDir,
}

impl Prometheus {
    fn start(targets: &[SocketAddr]) -> Self {
        let (directory, address) = (tempfile::tempdir().unwrap(), support::free());
        let file = directory.path().join("prometheus.yml");
        let targets: Vec<_> = targets.iter().map(|target| format!("'{target}'")).collect();
        let configuration = format!(
            "global: {{scrape_interval: 500ms, evaluation_interval: 500ms}}\n\
             rule_files: [rules.yml, alerts.yml]\n\
             scrape_configs: [{{job_name: status-app, static_configs: [{{targets: [{}]}}]}}]\n",
            targets.join(", ")
        );
        fs::write(&file, configuration).unwrap();
        for name in ["rules.yml", "alerts.yml"] {
            let rules = fs::read_to_string(format!("{DEPLOY}/prometheus/{name}")).unwrap();
            // The test does not last as long.
            let rules = rules.replace("interval: 5m", "interval: 500ms");
            fs::write(directory.path().join(name), rules).unwrap();
        }
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                directory.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stderr(Stdio::null());
        let process = Process(command.spawn().expect("prometheus is to be installed"));
        let begin = Instant::now();
        while TcpStream::connect(address).is_err()
            || support::send(address, "GET /-/ready HTTP/1.0\r\n\r\n").status != 200
        {
            assert!(begin.elapsed() < PATIENCE, "prometheus is not ready");
            thread::sleep(Duration::from_millis(50));
        }
        Self {
            address,
            _process: process,
            _directory: directory,
        }
    }

    fn api(&self, path: &str) -> Value {
        let response = support::send(self.address, format!("GET /api/v1/{path} HTTP/1.0\r\n\r\n"));
        let answer: Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].clone()
    }

    /// What `expression` comes to: labels and values.
    fn query(&self, expression: &str) -> Vec<(Value, f64)> {
        let encoded = expression
            .bytes()
            .fold(String::new(), |encoded, byte| format!("{encoded}%{byte:02X}"));
        let data = self.api(&format!("query?query={encoded}"));
        let samples = data["result"].as_array().unwrap().iter();
        let value = |sample: &Value| sample["value"][1].as_str().unwrap().parse().unwrap();
        samples
            .map(|sample| (sample["metric"].clone(), value(sample)))
            .collect()
    }

    /// The value of an expression that has one, or none where nothing is known of it.
    fn value(&self, expression: &str) -> f64 {
        let samples = self.query(expression);
        assert!(samples.len() <= 1, "{expression}: {samples:?}");
        samples.first().map_or(0.0, |(_, value)| *value)
    }

    /// Waits until `expression` comes to `expected`, and then once more as long, in which it must not change.
    fn settles(&self, expression: &str, expected: u64) {
        let begin = Instant::now();
        let is_there = || format!("{}", self.value(expression)) == expected.to_string();
        while !is_there() {
            assert!(
                begin.elapsed() < PATIENCE,
                "{expression} is {} and not {expected}",
                self.value(expression)
            );
            thread::sleep(Duration::from_millis(100));
        }
        thread::sleep(Duration::from_secs(1));
        assert!(
            is_there(),
            "{expression} is {} after {expected}",
            self.value(expression)
        );
    }

    /// Checks that it knows of all requests of `instance` that are counted, and of no others.
    fn knows(&self, instance: SocketAddr, counts: &Counts) {
        let series = format!("status_host_http_requests_total{{instance=\"{instance}\"}}");
        self.settles(&format!("sum({series})"), counts.values().sum());
        let known: BTreeMap<_, _> = self
            .query(&format!("{series} > 0"))
            .into_iter()
            .map(|(labels, value)| {
                let label = |name: &str| labels[name].as_str().unwrap().to_owned();
                (
                    format!("{} {} {}", label("method"), label("route"), label("status")),
                    value.to_string(),
                )
            })
            .collect();
        let counted = |((method, route, status), count): (&(_, _, _), &u64)| {
            (format!("{method} {route} {status}"), count.to_string())
        };
        assert_eq!(known, counts.iter().map(counted).collect());
        for route in ["/status", "other"] {
            let of_it = counts.iter().filter(|((_, other, _), _)| *other == route);
            let series = "status_host_http_request_duration_seconds_count";
            let expression = format!("sum({series}{{instance=\"{instance}\", route=\"{route}\"}})");
            self.settles(&expression, of_it.map(|(_, count)| count).sum());
        }
    }
}

/// Asks for the usual, on several connections at once, and now and then for what is wrong.
fn load(service: &Service, requests: u64) -> Counts {
    const CLIENTS: u64 = 4;
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut stream = service.connect();
                for _ in 0..requests / CLIENTS {
                    assert!(support::get_on(&mut stream, "/status?now").starts_with("HTTP/1.1 200 "));
                }
            });
        }
    });
    let mut counts = Counts::from([(("GET", "/status", 200), requests)]);
    let rows = [
        ("HEAD /status HTTP/1.1\r\nhost: a", ("HEAD", "/status", 200), 11),
        ("DELETE /status HTTP/1.1\r\nhost: a", ("DELETE", "/status", 405), 7),
        ("GET /favicon.ico HTTP/1.1\r\nhost: a", ("GET", "other", 404), 13),
        ("BREW /pot HTTP/1.1\r\nhost: a", ("other", "other", 404), 3),
        ("GET /status HTTP/3.0\r\nhost: a", ("other", "other", 505), 2),
        ("GET /status HTTP/1.1", ("other", "other", 400), 5),
    ];
    for (request, labels, times) in rows {
        for _ in 0..times {
            let response = service.send(format!("{request}\r\nconnection: close\r\n\r\n"));
            assert_eq!(response.status, labels.2, "{request}");
        }
        counts.insert(labels, times);
    }
    counts
}

/// Has the guest fail in each way that is counted, so often.
const FAILURES: [(&str, &str, u16, u64); 7] = [
    ("/trap", "trap", 500, 5),
    ("/spin", "timeout", 504, 2),
    ("/allocate", "memory", 500, 3),
    ("/leak", "limit", 500, 4),
    ("/silent", "no_response", 502, 6),
    ("/error", "error", 502, 7),
    ("/short-body", "invalid_response", 502, 8),
];

fn fail(service: &Service, counts: &mut Counts) {
    for (path, _, status, times) in FAILURES {
        for _ in 0..times {
            service.get(path).assert_problem(status);
        }
        *counts.entry(("GET", "other", status)).or_default() += times;
    }
}

/// More requests at once than there are instances, and connections, until some came too late, others found no instance,
/// and others no connection. Returns how many were the last.
fn overload(service: &Service, counts: &mut Counts) -> u64 {
    const WAYS: [&str; 3] = ["in time", "too many requests", "too many connections"];
    let mut seen = [0; WAYS.len()];
    let begin = Instant::now();
    while seen.contains(&0) {
        assert!(begin.elapsed() < PATIENCE, "{seen:?} of {WAYS:?}");
        let responses: Vec<_> = thread::scope(|scope| {
            let clients: Vec<_> = (0..24).map(|_| scope.spawn(|| service.get("/spin"))).collect();
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        for response in responses {
            *counts.entry(("GET", "other", response.status)).or_default() += 1;
            let way = WAYS.iter().position(|way| response.text().contains(way));
            seen[way.unwrap_or_else(|| panic!("{response:?}"))] += 1;
        }
    }
    seen[2]
}

/// More connections at once than are told that there is no room: eight are served, 256 are told, the rest is closed.
fn crowd(service: &Service, prometheus: &Prometheus, admin: SocketAddr, already_refused: u64) {
    let crowd: Vec<_> = (0..8 + 256 + 40).map(|_| service.connect()).collect();
    let refused =
        |reason| format!("status_host_connections_refused_total{{instance=\"{admin}\", reason=\"{reason}\"}}");
    prometheus.settles(&format!("status_host_connections_open{{instance=\"{admin}\"}}"), 8);
    prometheus.settles(&refused("limit"), already_refused + 256);
    prometheus.settles(&refused("flood"), 40);
    drop(crowd);
    prometheus.settles(&format!("status_host_connections_open{{instance=\"{admin}\"}}"), 0);
}

/// What each metric has come to by the end of the scenario. `{app}`, `{probe}` and `{poor}` are its instances.
const MOVED: [(&str, &str); 23] = [
    (
        "status_host_build_info",
        "count(status_host_build_info{commit_sha=~'0123.*'}) == 3",
    ),
    (
        "status_host_http_requests_total",
        "resets(status_host_http_requests_total{instance='{app}', method='GET', status='200'}[1h]) == 1",
    ),
    (
        "status_host_http_request_duration_seconds_bucket",
        "sum(rate(status_host_http_request_duration_seconds_bucket{instance='{app}', le='+Inf'}[1h])) > 0",
    ),
    (
        "status_host_http_request_duration_seconds_count",
        "sum(rate(status_host_http_request_duration_seconds_count{instance='{app}'}[1h])) > 0",
    ),
    // Time-outs of 200 ms: those that failed alone, and those of the overload.
    (
        "status_host_http_request_duration_seconds_sum",
        "status_host_http_request_duration_seconds_sum{instance='{probe}', route='other', class='5xx'} > 0.4",
    ),
    (
        "status_host_http_requests_in_flight",
        "max_over_time(status_host_http_requests_in_flight{instance='{probe}'}[1h]) >= 1 and status_host_http_requests_in_flight == 0",
    ),
    (
        "status_host_connections_open",
        "max_over_time(status_host_connections_open{instance='{probe}'}[1h]) == 8",
    ),
    (
        "status_host_connections_limit",
        "status_host_connections_limit{instance='{probe}'} == 8",
    ),
    (
        "status_host_connections_accepted_total",
        "status_host_connections_accepted_total{instance='{probe}'} > 304",
    ),
    (
        "status_host_connections_refused_total",
        "sum(status_host_connections_refused_total{instance='{probe}'}) > 296",
    ),
    (
        "status_host_accept_failures_total",
        "status_host_accept_failures_total{instance='{poor}'} > 0",
    ),
    (
        "status_host_instances_in_use",
        "max_over_time(status_host_instances_in_use{instance='{probe}'}[1h]) <= 4 and status_host_instances_in_use == 0",
    ),
    (
        "status_host_instances_limit",
        "status_host_instances_limit{instance='{probe}'} == 4",
    ),
    (
        "status_host_instance_creation_duration_seconds_bucket",
        "sum(status_host_instance_creation_duration_seconds_bucket{instance='{app}', le='2.5'}) > 0",
    ),
    // One at the start, and one for each request that was not rejected before.
    (
        "status_host_instance_creation_duration_seconds_count",
        "sum(status_host_instance_creation_duration_seconds_count{instance='{app}'}) - sum(status_host_http_requests_total{instance='{app}', status!~'400|505'}) == 1",
    ),
    (
        "status_host_instance_creation_duration_seconds_sum",
        "status_host_instance_creation_duration_seconds_sum{instance='{app}'} > 0",
    ),
    (
        "status_host_guest_seconds_total",
        "status_host_guest_seconds_total{instance='{probe}'} > 0.4",
    ),
    (
        "status_host_guest_failures_total",
        "sum(status_host_guest_failures_total{instance='{app}'}) == 0",
    ),
    (
        "status_host_log_events_lost_total",
        "status_host_log_events_lost_total{instance='{poor}'} > 0",
    ),
    (
        "process_cpu_seconds_total",
        "rate(process_cpu_seconds_total{instance='{app}'}[1h]) > 0",
    ),
    (
        "process_start_time_seconds",
        "changes(process_start_time_seconds{instance='{app}'}[1h]) == 1",
    ),
    (
        "process_resident_memory_bytes",
        "process_resident_memory_bytes{instance='{app}'} > 1e6 and process_resident_memory_bytes < 1e9 and process_resident_memory_bytes < process_virtual_memory_bytes",
    ),
    (
        "process_open_fds",
        "max_over_time(process_open_fds{instance='{probe}'}[1h]) > 264 and process_open_fds < process_max_fds",
    ),
];

/// Those that are told of beside another.
const BESIDE: [&str; 2] = ["process_virtual_memory_bytes", "process_max_fds"];

#[test]
fn prometheus_knows_what_clients_have_done() {
    let (app, probe, poor) = (support::free(), support::free(), support::free());
    let prometheus = Prometheus::start(&[app, probe, poor]);
    let name = |expression: &str| {
        let expression = expression.replace("{app}", &app.to_string());
        expression
            .replace("{probe}", &probe.to_string())
            .replace("{poor}", &poor.to_string())
    };

    // A first life of the application, and another on the same ports.
    let at = app.to_string();
    let service = Service::start_with_options(&["--admin", &at]);
    let counts = load(&service, 20_000);
    prometheus.knows(app, &counts);
    service.finish();
    let service = Service::start_with_options(&["--admin", &at]);
    let counts = load(&service, 8_000);
    prometheus.knows(app, &counts);

    // A component that fails, within tight limits.
    let at = probe.to_string();
    let limits = [
        "--admin",
        &at,
        "--max-concurrency",
        "4",
        "--max-connections",
        "8",
        "--request-timeout",
        "200ms",
    ];
    let probed = Service::start_probe(&limits);
    let mut counts = Counts::new();
    fail(&probed, &mut counts);
    prometheus.knows(probe, &counts);
    for (_, kind, _, times) in FAILURES {
        let series = format!("status_host_guest_failures_total{{instance=\"{probe}\", kind=\"{kind}\"}}");
        prometheus.settles(&series, times);
    }
    let refused = overload(&probed, &mut counts);
    prometheus.knows(probe, &counts);
    hold(&probed, &prometheus, probe);
    *counts.entry(("POST", "other", 200)).or_default() += 1;
    prometheus.knows(probe, &counts);
    crowd(&probed, &prometheus, probe, refused);

    // A process with few files, and a log that nobody reads.
    let poorer = poor_service(poor);
    prometheus.settles(
        &format!("status_host_accept_failures_total{{instance=\"{poor}\"}} > bool 0"),
        1,
    );
    prometheus.settles(
        &format!("status_host_log_events_lost_total{{instance=\"{poor}\"}} > bool 0"),
        1,
    );

    for (metric, expression) in MOVED {
        let expression = name(expression);
        assert!(!prometheus.query(&expression).is_empty(), "{metric}: {expression}");
    }
    let told = prometheus.api("label/__name__/values");
    let ours = told.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
    let ours: BTreeSet<_> = ours
        .filter(|name| name.starts_with("status_host_") || name.starts_with("process_"))
        .collect();
    let expected: BTreeSet<_> = MOVED.iter().map(|(metric, _)| *metric).chain(BESIDE).collect();
    assert_eq!(ours, expected);

    every_rule_is_evaluated(&prometheus);
    every_query_of_the_dashboard_has_data(&prometheus);
    for service in [&service, &probed] {
        promtool_accepts(&service.metrics().0);
    }
    drop(poorer);
    service.finish();
    probed.finish();
}

/// Keeps a request in flight until that is seen.
fn hold(service: &Service, prometheus: &Prometheus, admin: SocketAddr) {
    let in_flight = format!("status_host_http_requests_in_flight{{instance=\"{admin}\"}}");
    let mut held = service.connect();
    let request = "POST /wait-for-body HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\n";
    held.write_all(request.as_bytes()).unwrap();
    prometheus.settles(&in_flight, 1);
    held.write_all(b"!").unwrap();
    assert!(support::read_to_close(&mut held).starts_with(b"HTTP/1.1 200 "));
    prometheus.settles(&in_flight, 0);
}

fn poor_service(admin: SocketAddr) -> (Process, std::process::ChildStderr) {
    let listen = support::free();
    let mut command = support::with_files(24);
    command
        .env("LISTEN", listen.to_string())
        .env("ADMIN", admin.to_string());
    command.env("ACCESS_LOG", "1").stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let unread = child.stderr.take().unwrap();
    let process = Process(child);
    let begin = Instant::now();
    // It has room for one.
    let mut stream = loop {
        if let Ok(stream) = TcpStream::connect(listen) {
            break stream;
        }
        assert!(begin.elapsed() < PATIENCE, "it does not start");
        thread::sleep(Duration::from_millis(10));
    };
    for _ in 0..10_000 {
        support::get_on(&mut stream, "/status");
    }
    drop(stream);
    // It takes files for those that it can have, and goes on when they are gone.
    let crowd: Vec<_> = (0..30).map(|_| support::connect(admin)).collect();
    thread::sleep(Duration::from_secs(1));
    let waiting: Vec<_> = (0..3).map(|_| support::connect(listen)).collect();
    thread::sleep(Duration::from_secs(1));
    drop((crowd, waiting));
    (process, unread)
}

fn every_rule_is_evaluated(prometheus: &Prometheus) {
    let groups = prometheus.api("rules");
    let rules: Vec<_> = groups["groups"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap())
        .collect();
    assert_eq!(rules.len(), 36);
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
}

fn every_query_of_the_dashboard_has_data(prometheus: &Prometheus) {
    let dashboard = fs::read_to_string(format!("{DEPLOY}/grafana/status-app.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    let annotations = dashboard["annotations"]["list"].as_array().unwrap().iter();
    let queries: Vec<_> = targets
        .chain(annotations)
        .map(|query| query["expr"].as_str().unwrap())
        .collect();
    assert!(queries.len() > 20, "{queries:?}");
    for query in queries {
        let query = query.replace("$__rate_interval", "1m").replace("$job", "status-app");
        let samples = prometheus.query(&query);
        assert!(
            samples.iter().any(|(_, value)| value.is_finite()),
            "{query}: {samples:?}"
        );
    }
}

/// Has promtool look at an exposition as Prometheus's own conventions want it.
fn promtool_accepts(exposition: &str) {
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]).stdin(Stdio::piped());
    let mut child = command.spawn().expect("promtool is to be installed");
    child.stdin.take().unwrap().write_all(exposition.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn promtool_finds_nothing_wrong_with_the_rules() {
    let prometheus = format!("{DEPLOY}/prometheus");
    for arguments in [
        &["check", "rules", "rules.yml", "alerts.yml"][..],
        &["test", "rules", "tests.yml"],
    ] {
        let status = Command::new("promtool")
            .args(arguments)
            .current_dir(&prometheus)
            .status();
        assert!(status.expect("promtool is to be installed").success(), "{arguments:?}");
    }
}

/// Each alert is tested to fire, and not to, and leads to a section of the runbook.
#[test]
fn each_alert_is_tested_and_explained() {
    let read = |path: &str| fs::read_to_string(format!("{DEPLOY}/{path}")).unwrap();
    let (alerts, tests, runbook) = (
        read("prometheus/alerts.yml"),
        read("prometheus/tests.yml"),
        read("../docs/runbook.md"),
    );
    let names: BTreeSet<_> = alerts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    assert_eq!(names.len(), 12);
    for name in names {
        assert!(runbook.contains(&format!("\n## {name}\n")), "{name} is not explained");
        assert!(
            alerts.contains(&format!("runbook_url: docs/runbook.md#{}\n", name.to_lowercase())),
            "{name}"
        );
        let outcome = format!("alertname: {name}\n        exp_alerts:");
        let outcomes: Vec<_> = tests
            .match_indices(&outcome)
            .map(|(at, found)| tests[at + found.len()..].starts_with(" []"))
            .collect();
        assert!(
            outcomes.contains(&true) && outcomes.contains(&false),
            "{name}: {outcomes:?}"
        );
    }
}
