//! Servers are loaded, overloaded and restarted, and their components fail. Prometheus must know what the clients know.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::process::{ChildStderr, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::DEPLOY;
use super::expected::EXPRESSIONS;
use super::prometheus::{Counts, Prometheus};
use crate::support::metrics::Metrics;
use crate::support::{Process, TestServer, connect, eventually, free_addr, get_keep_alive, wait_until, with_fd_limit};

#[test]
fn prometheus_knows_what_the_clients_know() {
    let instances = ["app", "probe", "limited", "starved"].map(|name| (name, free_addr()));
    let [app, probe, limited, starved] = instances.map(|(_, address)| address);
    let prometheus = Prometheus::start(&[app, probe, limited, starved]);

    let first = TestServer::with_options(&format!("--admin {app}"));
    prometheus.assert_knows(app, &load(&first, 20_000));
    first.stop();
    // Restarted, its counters start from 0.
    let restarted = TestServer::with_options(&format!("--admin {app}"));
    prometheus.assert_knows(app, &load(&restarted, 8_000));

    let failing = TestServer::probe(&format!("--admin {probe}"));
    prometheus.assert_knows(probe, &fail(&failing));
    for (_, kind, _, times) in FAILURES {
        let series = format!("status_host_guest_failures_total{{instance=\"{probe}\", kind=\"{kind}\"}}");
        prometheus.assert_settles(&series, times);
    }

    let limits = "--max-concurrency 4 --max-connections 8 --request-timeout 200ms";
    let overloaded = TestServer::probe(&format!("--admin {limited} {limits}"));
    let (mut counts, refused) = overload(&overloaded);
    prometheus.assert_knows(limited, &counts);
    hold(&overloaded, &prometheus, limited);
    counts.insert(("POST", "other", 200), 1);
    prometheus.assert_knows(limited, &counts);
    flood(&overloaded, &prometheus, limited, refused);

    let _starved = starve(starved);
    for metric in ["accept_failures", "log_events_dropped"] {
        let expression = format!("status_host_{metric}_total{{instance=\"{starved}\"}} > bool 0");
        prometheus.assert_settles(&expression, 1);
    }

    assert_expressions(&prometheus, &instances);
    assert_rules_are_evaluated(&prometheus);
    assert_dashboard_has_data(&prometheus);
    for server in [&restarted, &failing, &overloaded] {
        assert_promtool_accepts(&server.metrics().0);
    }
}

/// Sends requests on several connections at once, and some that are rejected.
fn load(server: &TestServer, requests: u64) -> Counts {
    const CLIENTS: u64 = 4;
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut stream = server.connect();
                for _ in 0..requests / CLIENTS {
                    assert_eq!(get_keep_alive(&mut stream, "/status?now").status, 200);
                }
            });
        }
    });
    let mut counts = Counts::from([(("GET", "/status", 200), requests)]);
    for (request, labels, times) in [
        ("HEAD /status HTTP/1.1\r\nhost: a", ("HEAD", "/status", 200), 11),
        ("DELETE /status HTTP/1.1\r\nhost: a", ("DELETE", "/status", 405), 7),
        ("GET /favicon.ico HTTP/1.1\r\nhost: a", ("GET", "other", 404), 13),
        ("BREW /pot HTTP/1.1\r\nhost: a", ("other", "other", 404), 3),
        ("GET /status HTTP/3.0\r\nhost: a", ("other", "other", 505), 2),
        ("GET /status HTTP/1.1", ("other", "other", 400), 5),
    ] {
        for _ in 0..times {
            let response = server.send(format!("{request}\r\nconnection: close\r\n\r\n"));
            assert_eq!(response.status, labels.2, "{request}");
        }
        counts.insert(labels, times);
    }
    counts
}

/// A path of the probe, the kind of its failure, the status, and how often the scenario requests it.
const FAILURES: [(&str, &str, u16, u64); 6] = [
    ("/trap", "trap", 500, 5),
    ("/allocate", "memory", 500, 3),
    ("/leak", "limit", 500, 4),
    ("/silent", "no_response", 502, 6),
    ("/error", "error", 502, 7),
    ("/short-body", "invalid_response", 502, 8),
];

fn fail(server: &TestServer) -> Counts {
    let mut counts = Counts::new();
    for (path, _, status, times) in FAILURES {
        for _ in 0..times {
            server.get(path).assert_problem(status);
        }
        *counts.entry(("GET", "other", status)).or_default() += times;
    }
    counts
}

/// Exceeds the request timeout, the instances and the connections, until each was reported to a client. Returns how
/// many connections were over their limit.
fn overload(server: &TestServer) -> (Counts, u64) {
    const DETAILS: [&str; 3] = ["in time", "too many requests", "too many open connections"];
    let (mut counts, mut seen) = (Counts::new(), [0; DETAILS.len()]);
    wait_until("each limit is exceeded", || {
        let responses: Vec<_> = thread::scope(|scope| {
            let clients: Vec<_> = (0..24).map(|_| scope.spawn(|| server.get("/spin"))).collect();
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        for response in responses {
            *counts.entry(("GET", "other", response.status)).or_default() += 1;
            let detail = DETAILS.iter().position(|detail| response.text().contains(detail));
            seen[detail.unwrap_or_else(|| panic!("{response:?}"))] += 1;
        }
        !seen.contains(&0)
    });
    (counts, seen[2])
}

/// Keeps a request incomplete until Prometheus knows its connection.
fn hold(server: &TestServer, prometheus: &Prometheus, admin: SocketAddr) {
    let open = format!("status_host_connections_open{{instance=\"{admin}\"}}");
    let request = server.incomplete_request();
    prometheus.assert_settles(&open, 1);
    assert_eq!(request.complete().status, 200);
    prometheus.assert_settles(&open, 0);
}

/// Opens more connections than get a response: eight are served, 256 are over the limit, and the others are closed.
fn flood(server: &TestServer, prometheus: &Prometheus, admin: SocketAddr, already_refused: u64) {
    let open = format!("status_host_connections_open{{instance=\"{admin}\"}}");
    prometheus.assert_settles(&open, 0);
    let busy: Vec<_> = (0..8).map(|_| server.incomplete_request()).collect();
    let connections: Vec<_> = (0..256 + 40).map(|_| server.connect()).collect();
    let refused =
        |reason| format!("status_host_connections_refused_total{{instance=\"{admin}\", reason=\"{reason}\"}}");
    prometheus.assert_settles(&open, 8);
    prometheus.assert_settles(&refused("limit"), already_refused + 256);
    prometheus.assert_settles(&refused("flood"), 40);
    drop((busy, connections));
    prometheus.assert_settles(&open, 0);
}

/// A server that runs out of file descriptors, and whose log nobody reads.
fn starve(admin: SocketAddr) -> (Process, ChildStderr) {
    let listen = free_addr();
    let mut command = with_fd_limit(24);
    command
        .env("LISTEN", listen.to_string())
        .env("ADMIN", admin.to_string());
    let mut process = Process::spawn(command.env("ACCESS_LOG", "1").stderr(Stdio::piped()));
    let unread = process.0.stderr.take().unwrap();
    let mut stream = eventually("the server listens", || TcpStream::connect(listen).ok());
    for _ in 0..10_000 {
        get_keep_alive(&mut stream, "/status");
    }
    drop(stream);
    wait_until("the server fails to accept", || {
        // The admin port uses all file descriptors, so that the service port has none.
        let connections: Vec<_> = [[admin; 30].as_slice(), &[listen; 3]]
            .concat()
            .into_iter()
            .map(connect)
            .collect();
        // The server accepts what it can.
        thread::sleep(Duration::from_millis(500));
        drop(connections);
        Metrics::scrape(admin).count("status_host_accept_failures_total") > 0
    });
    (process, unread)
}

/// Checks that every expression holds, and that they use every metric.
fn assert_expressions(prometheus: &Prometheus, instances: &[(&str, SocketAddr)]) {
    for line in EXPRESSIONS
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let expression = instances.iter().fold(line.to_owned(), |line, (name, address)| {
            line.replace(&format!("{{{name}}}"), &address.to_string())
        });
        assert!(!prometheus.query(&expression).is_empty(), "{expression}");
    }
    let is_name_char = |char: char| char.is_ascii_alphanumeric() || char == '_';
    let used: BTreeSet<_> = EXPRESSIONS.split(|char| !is_name_char(char)).collect();
    for name in prometheus.api("label/__name__/values").as_array().unwrap() {
        let name = name.as_str().unwrap();
        let is_ours = name.starts_with("status_host_") || name.starts_with("process_");
        assert!(!is_ours || used.contains(name), "no expression for {name}");
    }
}

fn assert_rules_are_evaluated(prometheus: &Prometheus) {
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
}

fn assert_dashboard_has_data(prometheus: &Prometheus) {
    let dashboard = fs::read_to_string(format!("{DEPLOY}/grafana/status-app.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    let annotations = dashboard["annotations"]["list"].as_array().unwrap().iter();
    for query in targets.chain(annotations) {
        let query = query["expr"].as_str().unwrap();
        let query = query.replace("$__rate_interval", "1m").replace("$job", "status-app");
        let samples = prometheus.query(&query);
        let has_value = samples.iter().any(|(_, value)| value.is_finite());
        assert!(has_value, "{query}: {samples:?}");
    }
}

/// Checks an exposition against the conventions of Prometheus.
#[track_caller]
fn assert_promtool_accepts(exposition: &str) {
    let mut command = Command::new("promtool");
    let mut process = Process::spawn(command.args(["check", "metrics"]).stdin(Stdio::piped()));
    let mut stdin = process.0.stdin.take().unwrap();
    stdin.write_all(exposition.as_bytes()).unwrap();
    drop(stdin);
    assert!(process.wait().success());
}
