//! Every metric moves as its HELP says, by as much as clients have done.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;
use support::metrics::Metrics;
use support::{Process, Service};

fn requests(method: &str, route: &str, status: u16) -> String {
    format!("status_host_http_requests_total{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}")
}

#[test]
fn requests_are_counted_by_method_route_and_status() {
    let service = Service::start();
    let rows: [(&str, &str, &str, &str, u16, usize); 12] = [
        ("GET", "/status", "GET", "/status", 200, 7),
        ("GET", "/status?a=b", "GET", "/status", 200, 2),
        ("HEAD", "/status", "HEAD", "/status", 200, 3),
        ("POST", "/status", "POST", "/status", 405, 1),
        ("PUT", "/status", "PUT", "/status", 405, 1),
        ("DELETE", "/status", "DELETE", "/status", 405, 1),
        ("OPTIONS", "/status", "OPTIONS", "/status", 405, 2),
        ("PATCH", "/status", "PATCH", "/status", 405, 1),
        ("BREW", "/status", "other", "/status", 405, 4),
        ("GET", "/status/", "GET", "other", 404, 1),
        ("GET", "/%73tatus", "GET", "other", 404, 1),
        ("GET", "/\u{7f}", "other", "other", 400, 2),
    ];
    for (method, target, .., status, times) in rows {
        for _ in 0..times {
            assert_eq!(service.request(method, target).status, status, "{method} {target}");
        }
    }
    let metrics = service.metrics();
    assert_eq!(metrics.count(&requests("GET", "/status", 200)), 9);
    for (_, target, method, route, status, times) in &rows[2..9] {
        assert_eq!(
            metrics.count(&requests(method, route, *status)),
            *times as u64,
            "{method} {target}"
        );
    }
    assert_eq!(metrics.count(&requests("GET", "other", 404)), 2);
    assert_eq!(metrics.count(&requests("other", "other", 400)), 2);
    let all: usize = rows.iter().map(|row| row.5).sum();
    assert_eq!(metrics.sum("status_host_http_requests_total"), all as u64);
    // Each is one duration too.
    let durations = "status_host_http_request_duration_seconds";
    let classes = [
        ("/status", "2xx", 12),
        ("/status", "4xx", 10),
        ("/status", "5xx", 0),
        ("other", "4xx", 4),
    ];
    for (route, class, count) in classes {
        let labels = format!("route=\"{route}\",class=\"{class}\"");
        assert_eq!(
            metrics.count(&format!("{durations}_count{{{labels}}}")),
            count,
            "{labels}"
        );
        assert_eq!(
            metrics.count(&format!("{durations}_bucket{{le=\"+Inf\",{labels}}}")),
            count,
            "{labels}"
        );
        let sum = metrics.value(&format!("{durations}_sum{{{labels}}}"));
        assert_eq!(sum > 0.0, count > 0, "{labels}: {sum}");
    }
    // A connection each, and an instance for each but those that were rejected, and one at the start.
    assert_eq!(metrics.count("status_host_connections_accepted_total"), 26);
    assert_eq!(
        metrics.count("status_host_instance_creation_duration_seconds_count"),
        1 + 24
    );
    service.finish();
}

#[test]
fn a_failure_can_be_seen_to_be_the_first() {
    let service = Service::start();
    let metrics = service.metrics();
    for status in [200, 500, 502, 503, 504] {
        assert_eq!(metrics.count(&requests("GET", "/status", status)), 0);
        assert_eq!(metrics.count(&requests("HEAD", "/status", status)), 0);
    }
    for kind in [
        "trap",
        "timeout",
        "memory",
        "limit",
        "no_response",
        "error",
        "invalid_response",
    ] {
        let series = format!("status_host_guest_failures_total{{kind=\"{kind}\"}}");
        assert_eq!(metrics.count(&series), 0);
    }
    for reason in ["limit", "flood"] {
        let series = format!("status_host_connections_refused_total{{reason=\"{reason}\"}}");
        assert_eq!(metrics.count(&series), 0);
    }
    assert_eq!(metrics.count("status_host_accept_failures_total"), 0);
    assert_eq!(metrics.count("status_host_log_events_lost_total"), 0);
    service.finish();
}

#[test]
fn labels_come_from_closed_sets() {
    let service = Service::start_probe(&[]);
    for number in 0..50 {
        service.request(&format!("METHOD{number}"), &format!("/path/{number}"));
        service.request("GET", &format!("/status/{number}?{number}"));
    }
    let metrics = service.metrics();
    let series: BTreeSet<_> = metrics
        .0
        .lines()
        .filter(|line| line.contains("http_requests_total{"))
        .collect();
    // Ten that are there from the start, and two.
    assert_eq!(series.len(), 12, "{series:?}");
    assert_eq!(metrics.count(&requests("other", "other", 200)), 50);
    assert_eq!(metrics.count(&requests("GET", "other", 200)), 50);
    service.finish();
}

#[test]
fn the_time_of_clients_is_not_the_time_of_the_service() {
    let service = Service::start_probe(&[]);
    let mut slow = service.connect();
    slow.write_all(b"POST /count HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\n")
        .unwrap();
    service.metrics_until(|metrics| metrics.count("status_host_http_requests_in_flight") == 1);
    thread::sleep(Duration::from_secs(2));
    slow.write_all(b"!").unwrap();
    assert!(support::read_to_close(&mut slow).starts_with(b"HTTP/1.1 200 "));
    let metrics = service.metrics_until(|metrics| metrics.count("status_host_http_requests_in_flight") == 0);
    let sum = metrics.value("status_host_http_request_duration_seconds_sum{route=\"other\",class=\"2xx\"}");
    assert!(sum < 1.0, "{sum} s");
    service.finish();
}

#[test]
fn the_time_of_the_guest_is_told_apart() {
    let service = Service::start_probe(&["--request-timeout", "300ms"]);
    for _ in 0..3 {
        service.get("/spin").assert_problem(504);
    }
    let metrics = service.metrics();
    let guest = metrics.value("status_host_guest_seconds_total");
    let all = metrics.value("status_host_http_request_duration_seconds_sum{route=\"other\",class=\"5xx\"}");
    let made = metrics.value("status_host_instance_creation_duration_seconds_sum");
    assert!((0.6..all).contains(&guest), "{guest} s of {all} s");
    assert!(made > 0.0 && made < 0.3, "{made} s");
    assert_eq!(
        metrics.count("status_host_http_request_duration_seconds_bucket{le=\"0.1\",route=\"other\",class=\"5xx\"}"),
        0
    );
    assert_eq!(
        metrics.count("status_host_http_request_duration_seconds_bucket{le=\"2.5\",route=\"other\",class=\"5xx\"}"),
        3
    );
    service.finish();
}

#[test]
fn connections_are_counted_while_they_last_and_after() {
    let service = Service::start_with_options(&["--max-connections", "3"]);
    let metrics = service.metrics();
    assert_eq!(metrics.count("status_host_connections_limit"), 3);
    assert_eq!(metrics.count("status_host_connections_open"), 0);
    let held: Vec<TcpStream> = (0..3).map(|_| service.connect()).collect();
    service.metrics_until(|metrics| metrics.count("status_host_connections_open") == 3);
    service.get("/status").assert_problem(503);
    let metrics = service.metrics_until(|metrics| metrics.count("status_host_connections_open") == 3);
    assert_eq!(
        metrics.count("status_host_connections_refused_total{reason=\"limit\"}"),
        1
    );
    assert_eq!(metrics.count(&requests("GET", "/status", 503)), 1);
    // 256 are told; above that they are closed.
    let crowd: Vec<TcpStream> = (0..300).map(|_| service.connect()).collect();
    let flood = "status_host_connections_refused_total{reason=\"flood\"}";
    let metrics = service.metrics_until(|metrics| metrics.count(flood) == 300 - 256);
    // Those that are served.
    assert_eq!(metrics.count("status_host_connections_open"), 3);
    assert_eq!(metrics.count("status_host_connections_accepted_total"), 3 + 1 + 300);
    drop((held, crowd));
    service.metrics_until(|metrics| metrics.count("status_host_connections_open") == 0);
    service.finish();
}

#[test]
fn instances_are_counted_while_they_last() {
    let service = Service::start_probe(&["--max-concurrency", "5", "--request-timeout", "3s"]);
    assert_eq!(service.metrics().count("status_host_instances_limit"), 5);
    let mut busy = service.connect();
    busy.write_all(b"GET /spin HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    service.metrics_until(|metrics| {
        metrics.count("status_host_instances_in_use") == 1 && metrics.count("status_host_http_requests_in_flight") == 1
    });
    service.metrics_until(|metrics| metrics.count("status_host_instances_in_use") == 0);
    service.finish();
}

#[test]
fn the_process_is_told_of_though_it_is_locked() {
    let before = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs_f64();
    let service = Service::start();
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.id())).unwrap();
    assert!(status.contains("\nSeccomp:\t2\n"), "{status}");
    let metrics = service.metrics();
    let resident = metrics.count("process_resident_memory_bytes");
    let now = service.resident();
    assert!(resident.abs_diff(now) < now / 4, "{resident} is told of {now}");
    assert!(metrics.count("process_virtual_memory_bytes") > resident);
    let started = metrics.value("process_start_time_seconds");
    assert!((before - 1.0..before + 20.0).contains(&started), "{started}");
    let open = || std::fs::read_dir(format!("/proc/{}/fd", service.id())).unwrap().count() as u64;
    // Asking takes one, which may be open a moment longer.
    service.metrics_until(|metrics| metrics.count("process_open_fds") == open() + 1);
    let held: Vec<TcpStream> = (0..10).map(|_| service.connect()).collect();
    service.metrics_until(|metrics| metrics.count("status_host_connections_open") == 10);
    let metrics = service.metrics_until(|metrics| metrics.count("process_open_fds") == open() + 1);
    assert!(metrics.count("process_max_fds") >= 1024);
    let time = metrics.value("process_cpu_seconds_total");
    assert!(time > 0.0);
    drop(held);
    for _ in 0..500 {
        assert_eq!(service.get("/status").status, 200);
    }
    assert!(service.metrics().value("process_cpu_seconds_total") > time);
    service.finish();
}

#[test]
fn failures_to_accept_are_counted() {
    let service = Service::start_with(support::with_files(24));
    let failures = "status_host_accept_failures_total";
    while service.metrics().count(failures) == 0 {
        // Those of the admin port take what there is, and leave nothing to others.
        let admin = service.admin.unwrap();
        let crowd: Vec<_> = (0..30).map(|_| support::connect(admin)).collect();
        thread::sleep(Duration::from_millis(300));
        let waiting: Vec<_> = (0..3).map(|_| service.connect()).collect();
        thread::sleep(Duration::from_millis(300));
        drop((crowd, waiting));
    }
    let log = service.finish();
    for message in [
        "cannot accept a connection",
        "cannot accept a connection on the admin port",
    ] {
        assert!(log.iter().any(|line| line["message"] == message), "{message}: {log:?}");
    }
}

#[test]
fn events_that_cannot_be_written_are_counted() {
    let (admin, listener) = (support::free(), TcpListener::bind("127.0.0.1:0").unwrap());
    let mut command = support::handed_over(OwnedFd::from(listener.try_clone().unwrap()), "--access-log 1");
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let _process = Process(command.env("ADMIN", admin.to_string()).stderr(full).spawn().unwrap());
    let mut stream = support::connect(listener.local_addr().unwrap());
    for _ in 0..10 {
        support::get_on(&mut stream, "/status");
    }
    // The start tells two more.
    let lost = || {
        let told = support::send(admin, "GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n");
        Metrics(told.text().to_owned()).count("status_host_log_events_lost_total")
    };
    while lost() < 12 {
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(lost(), 12);
}

#[test]
fn events_that_nobody_reads_are_counted() {
    const REQUESTS: u64 = 10_000;
    let (mut unread, log) = std::io::pipe().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = support::free();
    let mut command = support::handed_over(OwnedFd::from(listener.try_clone().unwrap()), "--access-log 1");
    let process = Process(command.env("ADMIN", admin.to_string()).stderr(log).spawn().unwrap());
    drop(command);
    let mut stream = support::connect(listener.local_addr().unwrap());
    for _ in 0..REQUESTS {
        support::get_on(&mut stream, "/status");
    }
    let told = support::send(admin, "GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n");
    let lost = Metrics(told.text().to_owned()).count("status_host_log_events_lost_total");
    process.signal(Signal::SIGTERM);
    let mut log = String::new();
    unread.read_to_string(&mut log).unwrap();
    let read = log
        .lines()
        .filter(|line| line.contains(r#""message":"request""#))
        .count() as u64;
    assert!(
        lost > 0 && lost + read == REQUESTS,
        "{lost} are lost and {read} are read of {REQUESTS}"
    );
}
