//! The monitoring that is deployed, on a real Prometheus that scrapes a real server.

use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Process, TestServer, free_addr, send, try_send, wait_until};

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy");

fn read(path: &str) -> String {
    fs::read_to_string(format!("{DEPLOY}/{path}")).unwrap()
}

#[test]
fn promtool_accepts_the_rules_and_their_tests_pass() {
    for arguments in [
        &["check", "rules", "rules.yml", "alerts.yml"][..],
        &["test", "rules", "tests.yml"],
    ] {
        let mut command = Command::new("promtool");
        let status = command
            .args(arguments)
            .current_dir(format!("{DEPLOY}/prometheus"))
            .status();
        assert!(status.expect("promtool is installed").success(), "{arguments:?}");
    }
}

/// A Prometheus with the deployed rules and alerts.
struct Prometheus {
    address: SocketAddr,
    _process: Process,
    _directory: tempfile::TempDir,
}

impl Prometheus {
    #[track_caller]
    fn start(target: SocketAddr) -> Self {
        let (directory, address) = (tempfile::tempdir().unwrap(), free_addr());
        let path = directory.path();
        let configuration = format!(
            "global: {{scrape_interval: 500ms, evaluation_interval: 500ms}}\n\
             rule_files: [rules.yml, alerts.yml]\n\
             scrape_configs: [{{job_name: status-app, static_configs: [{{targets: ['{target}']}}]}}]\n",
        );
        fs::write(path.join("prometheus.yml"), configuration).unwrap();
        for name in ["rules.yml", "alerts.yml"] {
            // The test is shorter than the interval of some groups.
            let rules = read(&format!("prometheus/{name}")).replace("interval: 5m", "interval: 500ms");
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
    fn api(&self, path: &str) -> Value {
        let answer = send(self.address, format!("GET /api/v1/{path} HTTP/1.0\r\n\r\n")).json();
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].clone()
    }

    /// The values of `expression`.
    #[track_caller]
    fn query(&self, expression: &str) -> Vec<f64> {
        let encoded = expression.bytes().map(|byte| format!("%{byte:02X}"));
        let encoded = encoded.collect::<Vec<_>>().concat();
        let data = self.api(&format!("query?query={encoded}"));
        let value = |sample: &Value| sample["value"][1].as_str().unwrap().parse().unwrap();
        data["result"].as_array().unwrap().iter().map(value).collect()
    }

    /// Waits until `expression`, which counts, has this value.
    #[track_caller]
    fn wait_for(&self, expression: &str, expected: u32) {
        wait_until(&format!("{expression} is {expected}"), || {
            self.query(expression)
                .first()
                .is_some_and(|value| value.to_string() == expected.to_string())
        });
    }
}

/// Requests, their labels, and how often each is sent.
const REQUESTS: [(&str, &str, u32); 4] = [
    (
        "GET /status?a HTTP/1.1\r\nhost: a",
        r#"method="GET", route="/status", status="200""#,
        500,
    ),
    (
        "DELETE /status HTTP/1.1\r\nhost: a",
        r#"method="DELETE", route="/status", status="405""#,
        7,
    ),
    (
        "GET /favicon.ico HTTP/1.1\r\nhost: a",
        r#"method="GET", route="other", status="404""#,
        5,
    ),
    (
        "GET /status HTTP/3.0\r\nhost: a",
        r#"method="other", route="other", status="400""#,
        3,
    ),
];

/// Sends all requests `rounds` times, and waits until Prometheus knows all of them.
fn load(server: &TestServer, prometheus: &Prometheus, rounds: u32) {
    for (request, _, times) in REQUESTS {
        for _ in 0..rounds * times {
            server.send(format!("{request}\r\nconnection: close\r\n\r\n"));
        }
    }
    for (_, labels, times) in REQUESTS {
        prometheus.wait_for(&format!("status_host_http_requests_total{{{labels}}}"), rounds * times);
    }
    let all = REQUESTS.iter().map(|(.., times)| rounds * times).sum();
    prometheus.wait_for("sum(status_host_http_requests_total)", all);
    prometheus.wait_for("sum(status_host_http_request_duration_seconds_count)", all);
}

#[test]
fn prometheus_knows_all_requests_and_evaluates_every_rule_and_panel() {
    let admin = free_addr();
    let prometheus = Prometheus::start(admin);
    let first = TestServer::with_options(&format!("--admin {admin}"));
    load(&first, &prometheus, 2);
    first.stop();
    // Its counters start from 0, and do not reach the old values.
    let restarted = TestServer::with_options(&format!("--admin {admin}"));
    load(&restarted, &prometheus, 1);
    prometheus.wait_for("changes(process_start_time_seconds[1h])", 1);
    prometheus.wait_for(
        r#"resets(status_host_http_requests_total{method="GET", status="200"}[1h])"#,
        1,
    );

    let groups = prometheus.api("rules");
    let groups = groups["groups"].as_array().unwrap();
    let rules: Vec<_> = groups
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap())
        .collect();
    assert!(!rules.is_empty());
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule}");
    }

    let dashboard: Value = serde_json::from_str(&read("grafana/status-app.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    let annotations = dashboard["annotations"]["list"].as_array().unwrap().iter();
    for query in targets.chain(annotations) {
        let query = query["expr"].as_str().unwrap();
        let query = query.replace("$__rate_interval", "1m").replace("$job", "status-app");
        wait_until(&format!("{query} has a value"), || {
            prometheus.query(&query).iter().any(|value| value.is_finite())
        });
    }
}
