//! Each metric counts what its HELP text says. Closed label sets and the first value of each series are tested in
//! memory.

use std::io::Write;
use std::time::{Instant, SystemTime};

use crate::support::component::{spin, trap};
use crate::support::{TestServer, finish, status_host, wait_until};

const CONNECTIONS_ACCEPTED: &str = "status_host_connections_accepted_total";
const CONNECTIONS_OPEN: &str = "status_host_connections_open";
const FAILURES: &str = "status_host_guest_failures_total";
const INSTANCES_CREATED: &str = "status_host_instance_creation_duration_seconds_count";
const INSTANCES_IN_USE: &str = "status_host_instances_in_use";
const REQUESTS: &str = "status_host_http_requests_total";
const REQUESTS_IN_FLIGHT: &str = "status_host_http_requests_in_flight";

fn duration(suffix: &str, route: &str, class: &str) -> String {
    format!("status_host_http_request_duration_seconds_{suffix}{{route=\"{route}\",class=\"{class}\"}}")
}

#[test]
fn each_request_is_counted_once_with_its_duration_connection_and_instance() {
    // Request, labels, and how often it is sent. The last one is rejected before there is an instance.
    const SENT: [(&str, &str, &str, &str, u64); 5] = [
        ("GET /status?a=b", "GET", "/status", "200", 9),
        ("HEAD /status", "HEAD", "/status", "200", 3),
        ("BREW /status", "other", "/status", "405", 4),
        ("GET /%73tatus", "GET", "other", "404", 2),
        ("GET /\u{7f}", "other", "other", "400", 5),
    ];
    let server = TestServer::start();
    for (request, .., status, times) in SENT {
        let (method, target) = request.split_once(' ').unwrap();
        for _ in 0..times {
            assert_eq!(server.request(method, target).status.to_string(), status, "{request}");
        }
    }
    let metrics = server.metrics();
    for (request, method, route, status, times) in SENT {
        let series = format!("{REQUESTS}{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}");
        assert_eq!(metrics.count(&series), times, "{request}");
    }
    let sum = |condition: fn(&str, &str) -> bool| -> u64 {
        let selected = SENT.iter().filter(|(_, _, route, status, _)| condition(route, status));
        selected.map(|(.., times)| times).sum()
    };
    let all = sum(|_, _| true);
    assert_eq!((metrics.sum(REQUESTS), metrics.count(CONNECTIONS_ACCEPTED)), (all, all));
    // One instance at the start.
    assert_eq!(metrics.count(INSTANCES_CREATED), 1 + sum(|_, status| status != "400"));
    for (route, class, count) in [
        ("/status", "2xx", sum(|_, status| status == "200")),
        (
            "/status",
            "4xx",
            sum(|route, status| route == "/status" && status == "405"),
        ),
        ("other", "4xx", sum(|route, _| route == "other")),
    ] {
        assert_eq!(
            metrics.count(&duration("count", route, class)),
            count,
            "{route} {class}"
        );
        assert!(metrics.value(&duration("sum", route, class)) > 0.0, "{route} {class}");
    }
}

#[test]
fn gauges_count_connections_requests_and_instances_that_exist_now() {
    let options = ["--worker-threads", "1", "--max-connections", "3"];
    let server = TestServer::module(&spin(), status_host().args(options));
    let metrics = server.metrics();
    assert_eq!(metrics.count("status_host_connections_limit"), 3);
    for gauge in [CONNECTIONS_OPEN, REQUESTS_IN_FLIGHT, INSTANCES_IN_USE] {
        assert_eq!(metrics.count(gauge), 0, "{gauge}");
    }
    let silent = server.connect();
    let mut spinning = server.connect();
    spinning.write_all(b"GET /status HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    server.wait_for_metric(INSTANCES_IN_USE, 1);
    server.wait_for_metric(CONNECTIONS_OPEN, 2);
    assert_eq!(server.metrics().count(REQUESTS_IN_FLIGHT), 1);
    drop(silent);
    server.wait_for_metric(CONNECTIONS_OPEN, 1);
    server.stop_now();
}

#[test]
fn duration_excludes_the_time_of_the_client() {
    let server = TestServer::start();
    let request = server.incomplete_request();
    for _ in 0..20 {
        server.get("/nothing");
    }
    let begin = Instant::now();
    assert_eq!(finish(request, "!").status, 200);
    let answered = begin.elapsed().as_secs_f64();
    let duration = server.metrics().value(&duration("sum", "/status", "2xx"));
    assert!(duration <= answered, "{duration} of {answered} s");
}

#[test]
fn failure_of_the_component_is_counted_by_its_kind() {
    let server = TestServer::module(&trap(), &mut status_host());
    server.get("/status").assert_problem(500);
    let metrics = server.metrics();
    assert_eq!(metrics.count(&format!("{FAILURES}{{kind=\"trap\"}}")), 1);
    assert_eq!(metrics.sum(FAILURES), 1);
}

#[test]
fn guest_time_is_the_part_of_the_duration_in_the_component() {
    let server = TestServer::module(&spin(), status_host().env("REQUEST_TIMEOUT", "200ms"));
    server.get("/status").assert_problem(504);
    let metrics = server.metrics();
    let guest = metrics.value("status_host_guest_seconds_total");
    let all = metrics.value(&duration("sum", "/status", "5xx"));
    assert!(0.0 < guest && guest <= all, "{guest} of {all} s");
    assert!(all >= 0.2, "{all} s is less than the time limit");
}

#[test]
fn locked_process_reports_its_memory_start_and_processor_time() {
    let seconds = || {
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs_f64()
    };
    let before = seconds();
    let server = TestServer::start();
    let after = seconds();
    let metrics = server.metrics();
    let (reported, now) = (metrics.count("process_resident_memory_bytes"), server.resident_bytes());
    assert!(reported.abs_diff(now) < now / 4, "{reported} reported, {now} now");
    let start = metrics.value("process_start_time_seconds");
    assert!((before..after).contains(&start), "{start}");
    let cpu = "process_cpu_seconds_total";
    let first = metrics.value(cpu);
    wait_until("processor time grows", || {
        server.get("/status");
        server.metrics().value(cpu) > first
    });
}
