//! A real Prometheus that scrapes test servers.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::DEPLOY;
use crate::support::{Process, free_addr, send, try_send, wait_until};

/// Requests by method, route and status, as a client counts them.
pub type Counts = BTreeMap<(&'static str, &'static str, u16), u64>;

/// A Prometheus with the deployed rules and alerts.
pub struct Prometheus {
    address: SocketAddr,
    _process: Process,
    _directory: tempfile::TempDir,
}

impl Prometheus {
    #[track_caller]
    pub fn start(targets: &[SocketAddr]) -> Self {
        let (directory, address) = (tempfile::tempdir().unwrap(), free_addr());
        let path = directory.path();
        let targets: Vec<_> = targets.iter().map(|target| format!("'{target}'")).collect();
        let configuration = format!(
            "global: {{scrape_interval: 500ms, evaluation_interval: 500ms}}\n\
             rule_files: [rules.yml, alerts.yml]\n\
             scrape_configs: [{{job_name: status-app, static_configs: [{{targets: [{}]}}]}}]\n",
            targets.join(", ")
        );
        fs::write(path.join("prometheus.yml"), configuration).unwrap();
        for name in ["rules.yml", "alerts.yml"] {
            let rules = fs::read_to_string(format!("{DEPLOY}/prometheus/{name}")).unwrap();
            // The test is shorter than the interval of some groups.
            let rules = rules.replace("interval: 5m", "interval: 500ms");
            fs::write(path.join(name), rules).unwrap();
        }
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", path.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", path.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stderr(Stdio::null());
        let process = Process::spawn(&mut command);
        wait_until("prometheus is ready", || {
            let response = try_send(address, "GET /-/ready HTTP/1.0\r\n\r\n");
            response.is_some_and(|response| response.status == 200)
        });
        Self {
            address,
            _process: process,
            _directory: directory,
        }
    }

    #[track_caller]
    pub fn api(&self, path: &str) -> Value {
        let response = send(self.address, format!("GET /api/v1/{path} HTTP/1.0\r\n\r\n"));
        let answer = response.json();
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].clone()
    }

    /// The result of `expression`: labels and values.
    #[track_caller]
    pub fn query(&self, expression: &str) -> Vec<(Value, f64)> {
        let encoded = expression
            .bytes()
            .fold(String::new(), |encoded, byte| format!("{encoded}%{byte:02X}"));
        let data = self.api(&format!("query?query={encoded}"));
        let value = |sample: &Value| sample["value"][1].as_str().unwrap().parse().unwrap();
        let samples = data["result"].as_array().unwrap().iter();
        samples
            .map(|sample| (sample["metric"].clone(), value(sample)))
            .collect()
    }

    /// The value of an expression with at most one result; 0 without a result.
    #[track_caller]
    fn value(&self, expression: &str) -> f64 {
        let samples = self.query(expression);
        assert!(samples.len() <= 1, "{expression}: {samples:?}");
        samples.first().map_or(0.0, |(_, value)| *value)
    }

    /// Waits until `expression` has the value `expected`, and checks that it keeps it.
    #[track_caller]
    pub fn assert_settles(&self, expression: &str, expected: u64) {
        let is_expected = || self.value(expression).to_string() == expected.to_string();
        wait_until(&format!("{expression} is {expected}"), is_expected);
        // Two scrapes, which must not change it.
        thread::sleep(Duration::from_secs(1));
        let value = self.value(expression);
        assert!(is_expected(), "{expression} is {value} after {expected}");
    }

    /// Checks that Prometheus knows the requests that were sent to `instance`, and no others.
    #[track_caller]
    pub fn assert_knows(&self, instance: SocketAddr, counts: &Counts) {
        let series = format!("status_host_http_requests_total{{instance=\"{instance}\"}}");
        self.assert_settles(&format!("sum({series})"), counts.values().sum());
        let samples = self.query(&format!("{series} > 0")).into_iter();
        let known: BTreeMap<_, _> = samples
            .map(|(labels, value)| {
                let label = |name: &str| labels[name].as_str().unwrap().to_owned();
                let labels = format!("{} {} {}", label("method"), label("route"), label("status"));
                (labels, value.to_string())
            })
            .collect();
        let sent = counts
            .iter()
            .map(|((method, route, status), count)| (format!("{method} {route} {status}"), count.to_string()));
        assert_eq!(known, sent.collect());
        for route in ["/status", "other"] {
            let sent = counts.iter().filter(|((_, other, _), _)| *other == route);
            let series = "status_host_http_request_duration_seconds_count";
            let expression = format!("sum({series}{{instance=\"{instance}\", route=\"{route}\"}})");
            self.assert_settles(&expression, sent.map(|(_, count)| count).sum());
        }
    }
}
