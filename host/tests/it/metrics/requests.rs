//! Requests, instances and failures of the component.

use std::collections::BTreeSet;
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use status_host::sandbox::InvokeError;

use crate::support::metrics::Metrics;
use crate::support::wait::busy_processors;
use crate::support::{TestServer, read_to_close};

fn requests(method: &str, route: &str, status: u16) -> String {
    format!("status_host_http_requests_total{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}")
}

/// Checks how many durations there are.
#[track_caller]
fn assert_durations(metrics: &Metrics, route: &str, class: &str, count: u64) {
    let name = "status_host_http_request_duration_seconds";
    let labels = format!("route=\"{route}\",class=\"{class}\"");
    assert_eq!(metrics.count(&format!("{name}_count{{{labels}}}")), count, "{labels}");
    let bucket = format!("{name}_bucket{{le=\"+Inf\",{labels}}}");
    assert_eq!(metrics.count(&bucket), count, "{labels}");
    let sum = metrics.value(&format!("{name}_sum{{{labels}}}"));
    assert_eq!(sum > 0.0, count > 0, "{labels}: {sum}");
}

#[test]
fn requests_are_counted_by_method_route_and_status() {
    let server = TestServer::start();
    let rows: [(&str, &str, &str, &str, u16, u64); 10] = [
        ("GET", "/status?a=b", "GET", "/status", 200, 9),
        ("HEAD", "/status", "HEAD", "/status", 200, 3),
        ("POST", "/status", "POST", "/status", 405, 1),
        ("PUT", "/status", "PUT", "/status", 405, 1),
        ("DELETE", "/status", "DELETE", "/status", 405, 1),
        ("OPTIONS", "/status", "OPTIONS", "/status", 405, 2),
        ("PATCH", "/status", "PATCH", "/status", 405, 1),
        ("BREW", "/status", "other", "/status", 405, 4),
        ("GET", "/%73tatus", "GET", "other", 404, 2),
        ("GET", "/\u{7f}", "other", "other", 400, 2),
    ];
    for (method, target, .., status, times) in rows {
        for _ in 0..times {
            assert_eq!(server.request(method, target).status, status, "{method} {target}");
        }
    }
    let metrics = server.metrics();
    for (_, target, method, route, status, times) in rows {
        let count = metrics.count(&requests(method, route, status));
        assert_eq!(count, times, "{method} {target}");
    }
    assert_eq!(metrics.sum("status_host_http_requests_total"), 26);
    // Each has a duration.
    let rows = [
        ("/status", "2xx", 12),
        ("/status", "4xx", 10),
        ("/status", "5xx", 0),
        ("other", "4xx", 4),
    ];
    for (route, class, count) in rows {
        assert_durations(&metrics, route, class, count);
    }
    // One connection each; one instance each unless rejected, and one at the start.
    assert_eq!(metrics.count("status_host_connections_accepted_total"), 26);
    let instances = metrics.count("status_host_instance_creation_duration_seconds_count");
    assert_eq!(instances, 26 - 2 + 1);
}

#[test]
fn series_exist_before_the_first_event() {
    let server = TestServer::start();
    let metrics = server.metrics();
    let mut series = vec![
        "status_host_accept_failures_total".to_owned(),
        "status_host_log_events_dropped_total".to_owned(),
    ];
    for status in [200, 500, 502, 503, 504] {
        series.extend(["GET", "HEAD"].map(|method| requests(method, "/status", status)));
    }
    for kind in InvokeError::KINDS {
        series.push(format!("status_host_guest_failures_total{{kind=\"{kind}\"}}"));
    }
    for reason in ["limit", "flood"] {
        series.push(format!("status_host_connections_refused_total{{reason=\"{reason}\"}}"));
    }
    for series in series {
        assert_eq!(metrics.count(&series), 0, "{series}");
    }
}

#[test]
fn clients_cannot_create_label_values() {
    let server = TestServer::probe("");
    let series = || -> BTreeSet<_> {
        let metrics = server.metrics();
        let lines = metrics.0.lines().filter_map(|line| line.rsplit_once(' '));
        lines.map(|(series, _)| series.to_owned()).collect()
    };
    let before = series();
    for number in 0..50 {
        server.request(&format!("METHOD{number}"), &format!("/path/{number}"));
        server.request("GET", &format!("/status/{number}?{number}"));
    }
    let created: Vec<_> = series()
        .difference(&before)
        .filter(|series| series.contains("requests_total{"))
        .cloned()
        .collect();
    assert_eq!(
        created,
        [requests("GET", "other", 200), requests("other", "other", 200)]
    );
    let metrics = server.metrics();
    assert!(created.iter().all(|series| metrics.count(series) == 50));
}

#[test]
fn duration_excludes_the_time_of_the_client() {
    let server = TestServer::probe("");
    let mut stream = server.connect();
    let head = b"POST /count HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\n";
    stream.write_all(head).unwrap();
    server.wait_for_metric("status_host_connections_open", 1);
    // Time of the client.
    thread::sleep(Duration::from_secs(1));
    let complete = Instant::now();
    stream.write_all(b"!").unwrap();
    assert!(read_to_close(&mut stream).starts_with(b"HTTP/1.1 200 "));
    let answered = complete.elapsed().as_secs_f64();
    let metrics = server.wait_for_metric("status_host_http_requests_in_flight", 0);
    let duration = metrics.value("status_host_http_request_duration_seconds_sum{route=\"other\",class=\"2xx\"}");
    assert!(duration <= answered, "{duration} of {answered} s");
}

#[test]
fn guest_time_is_part_of_the_duration() {
    let _busy = busy_processors();
    let server = TestServer::probe("--request-timeout 200ms");
    let created = "status_host_instance_creation_duration_seconds_sum";
    let first = server.metrics().value(created);
    for _ in 0..3 {
        server.get("/spin").assert_problem(504);
    }
    let metrics = server.metrics();
    let guest = metrics.value("status_host_guest_seconds_total");
    let creation = metrics.value(created) - first;
    let name = "status_host_http_request_duration_seconds";
    let labels = "route=\"other\",class=\"5xx\"";
    let all = metrics.value(&format!("{name}_sum{{{labels}}}"));
    assert!(first > 0.0 && guest > 0.0 && creation > 0.0);
    assert!(guest + creation <= all, "{guest} s and {creation} s of {all} s");
    // None is shorter than the timeout.
    assert_eq!(metrics.count(&format!("{name}_bucket{{le=\"0.1\",{labels}}}")), 0);
    assert_eq!(metrics.count(&format!("{name}_count{{{labels}}}")), 3);
}

#[test]
fn instances_are_counted_while_they_live() {
    let _busy = busy_processors();
    let server = TestServer::probe("--max-concurrency 5 --request-timeout 2s");
    assert_eq!(server.metrics().count("status_host_instances_limit"), 5);
    let mut spinning = server.connect();
    spinning.write_all(b"GET /spin HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    server.metrics_until("an instance is in use", |metrics| {
        metrics.count("status_host_instances_in_use") == 1 && metrics.count("status_host_http_requests_in_flight") == 1
    });
    server.wait_for_metric("status_host_instances_in_use", 0);
}
