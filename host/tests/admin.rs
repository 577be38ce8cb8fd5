//! The admin port: what it tells, to whom, and when.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;
use support::module::{HANDLE, component};
use support::{COMMIT, Process, Response, Service, VERSION};

fn get(address: SocketAddr, path: &str) -> Response {
    support::send(address, format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"))
}

/// Asks until `is_wanted`, for as long as a slow machine may take.
fn ask_until(address: SocketAddr, path: &str, is_wanted: impl Fn(&Response) -> bool) -> Response {
    let begin = Instant::now();
    loop {
        if TcpStream::connect(address).is_ok() {
            let response = get(address, path);
            if is_wanted(&response) {
                return response;
            }
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "{path} does not come to it");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_service_that_serves_is_alive_and_ready() {
    let service = Service::start();
    for path in ["/livez", "/readyz", "/livez?verbose"] {
        let response = service.ask(path);
        assert_eq!((response.status, response.text()), (200, "ok\n"), "{path}");
        assert_eq!(response.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(response.header("connection"), "close");
        response.assert_guarded();
    }
    service.finish();
}

#[test]
fn the_build_is_told() {
    let service = Service::start();
    let response = service.ask("/buildinfo");
    assert_eq!(response.header("content-type"), "application/json");
    let build: Value = serde_json::from_slice(&response.body).unwrap();
    let told = build.as_object().unwrap();
    assert_eq!(told["app_version"], VERSION);
    assert_eq!(told["commit_sha"], COMMIT);
    assert_eq!(told["component"], "embedded");
    assert_eq!(told["component_sha256"], service.start["sha256"]);
    let version = support::run(&["--version"], &[]);
    let version = String::from_utf8(version.stdout).unwrap();
    let (host, wasmtime) = (told["host_version"].as_str(), told["wasmtime_version"].as_str());
    let told_by_command = format!("status-host {} (wasmtime {})\n", host.unwrap(), wasmtime.unwrap());
    assert_eq!(version, told_by_command);
    assert_eq!(told.len(), 6);
    let labels = format!(
        "status_host_build_info{{app_version=\"{VERSION}\",commit_sha=\"{COMMIT}\",host_version=\"{}\",\
         wasmtime_version=\"{}\",component_sha256=\"{}\"}}",
        host.unwrap(),
        wasmtime.unwrap(),
        service.start["sha256"].as_str().unwrap()
    );
    assert_eq!(service.metrics().count(&labels), 1);
    service.finish();
}

#[test]
fn what_is_not_there_is_told_so() {
    let service = Service::start();
    for path in ["/", "/status", "/metrics/", "/debug", "/env"] {
        assert_eq!(service.ask(path).status, 404, "{path}");
    }
    let admin = service.admin.unwrap();
    for method in ["POST", "DELETE", "OPTIONS", "TRACE"] {
        let response = support::send(admin, format!("{method} /readyz HTTP/1.1\r\nhost: a\r\n\r\n"));
        assert_eq!(
            (response.status, response.header("allow")),
            (405, "GET, HEAD"),
            "{method}"
        );
    }
    let head = support::send(admin, "HEAD /readyz HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!((head.status, head.text()), (200, ""));
    assert_eq!(head.header("content-length"), "3");
    assert_eq!(support::send(admin, "nonsense\r\n\r\n").status, 400);
    service.finish();
}

#[test]
fn nothing_of_it_is_on_the_service_port() {
    let service = Service::start();
    for path in ["/metrics", "/livez", "/readyz", "/buildinfo"] {
        service.get(path).assert_problem(404);
    }
    service.finish();
}

#[test]
fn it_can_be_off() {
    let mut command = support::status_host();
    command.env("ADMIN", "off");
    let service = Service::start_with(command);
    assert_eq!(service.admin, None);
    assert_eq!(service.get("/status").status, 200);
    service.finish();
}

#[test]
fn a_port_that_is_taken_is_refused() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = support::run(&["--listen", "127.0.0.1:0", "--admin", &address], &[]);
    support::assert_refused(
        &output,
        1,
        &[&format!("cannot listen on `{address}`"), "another port with --admin"],
    );
}

#[test]
fn an_address_that_is_none_is_refused() {
    for address in ["", "9090", ":9090", "on", "localhost:9090", "127.0.0.1"] {
        let output = support::run(&["--listen", "127.0.0.1:0", "--admin", address], &[]);
        support::assert_refused(&output, 2, &["--admin", "neither off nor an IP address and a port"]);
    }
}

#[test]
fn it_is_not_ready_before_the_first_instance() {
    // Which is a long time in the making.
    let module =
        format!("(module (memory (export \"memory\") 1) (func $start (loop (br 0))) (start $start) ({HANDLE}))");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("slow.wasm");
    fs::write(&file, component(&module)).unwrap();
    let admin = support::free();
    let mut command = support::status_host();
    command.args(["--request-timeout", "1h", "--listen", "127.0.0.1:0"]);
    command.args(["--admin", &admin.to_string(), "--component"]).arg(&file);
    let process = Process(command.stderr(Stdio::null()).spawn().unwrap());
    let first = ask_until(admin, "/readyz", |_| true);
    assert_eq!((first.status, first.text()), (503, "starting\n"));
    assert_eq!(get(admin, "/livez").status, 200);
    let metrics = get(admin, "/metrics");
    assert!(
        metrics
            .text()
            .contains("\nstatus_host_instance_creation_duration_seconds_count 0\n")
    );
    drop(process);
}

#[test]
fn it_is_not_ready_from_the_moment_a_drain_begins() {
    let service = Service::start_with_options(&["--drain-delay", "5s"]);
    let admin = service.admin.unwrap();
    let mut before = service.connect();
    service.signal(Signal::SIGTERM);
    let draining = ask_until(admin, "/readyz", |response| response.status == 503);
    assert_eq!(draining.text(), "draining\n");
    assert_eq!(get(admin, "/livez").status, 200);
    // The balancer has not noticed yet: new requests come, on old connections and on new ones.
    assert!(support::get_on(&mut before, "/status").starts_with("HTTP/1.1 200 "));
    assert_eq!(service.get("/status").status, 200);
    let begin = Instant::now();
    while TcpStream::connect(service.address).is_ok() {
        assert!(begin.elapsed() < Duration::from_secs(20), "it still accepts");
        thread::sleep(Duration::from_millis(20));
    }
    drop(before);
    let (status, log) = service.wait();
    assert!(status.success());
    let messages: Vec<_> = log.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["not ready any more; still accepting", "draining", "drained"]);
}

#[test]
fn it_tells_of_a_drain_until_its_end() {
    let service = Service::start_probe(&[]);
    let mut in_flight = service.connect();
    let request = b"POST /wait-for-body HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\n";
    in_flight.write_all(request).unwrap();
    ask_until(service.admin.unwrap(), "/metrics", |metrics| {
        metrics.text().contains("status_host_http_requests_in_flight 1\n")
    });
    service.signal(Signal::SIGTERM);
    ask_until(service.admin.unwrap(), "/readyz", |response| {
        response.text() == "draining\n"
    });
    in_flight.write_all(b"!").unwrap();
    let answer = support::read_to_close(&mut in_flight);
    assert!(answer.starts_with(b"HTTP/1.1 200 "));
    assert!(service.wait().0.success());
}

#[test]
fn a_second_signal_ends_the_delay() {
    let service = Service::start_with_options(&["--drain-delay", "1h"]);
    service.signal(Signal::SIGTERM);
    ask_until(service.admin.unwrap(), "/readyz", |response| response.status == 503);
    service.signal(Signal::SIGINT);
    let (status, log) = service.wait();
    assert!(status.success());
    assert!(
        log[1]["message"].as_str().unwrap().starts_with("a second signal"),
        "{log:?}"
    );
}

#[test]
fn it_answers_while_the_service_is_saturated() {
    let service = Service::start_probe(&[
        "--max-concurrency",
        "4",
        "--max-connections",
        "8",
        "--request-timeout",
        "30s",
    ]);
    let mut connections: Vec<_> = (0..8).map(|_| service.connect()).collect();
    for connection in &mut connections {
        connection.write_all(b"GET /spin HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    }
    service.metrics_until(|metrics| {
        metrics.count("status_host_instances_in_use") == 4 && metrics.count("status_host_connections_open") == 8
    });
    for _ in 0..20 {
        let asked = Instant::now();
        assert_eq!(service.ask("/readyz").status, 200);
        assert_eq!(service.ask("/livez").status, 200);
        service.metrics();
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    }
    service.get("/count").assert_problem(503);
    assert_eq!(service.metrics().count("status_host_instances_in_use"), 4);
    // A second signal does not wait for the guests.
    service.signal(Signal::SIGTERM);
    service.signal(Signal::SIGINT);
    assert!(service.wait().0.success());
    drop(connections);
}

#[test]
fn clients_that_hold_it_keep_nobody_out() {
    let service = Service::start();
    let admin = service.admin.unwrap();
    // Many times as many as it has room for, with nothing to say.
    let mut silent: Vec<_> = (0..400).map(|_| support::connect(admin)).collect();
    let begin = Instant::now();
    assert_eq!(service.ask("/readyz").status, 200);
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    // The oldest are given up, and the others once they have had their time.
    for connection in [silent.remove(0), silent.pop().unwrap()] {
        assert_eq!(support::read_to_close(&mut { connection }), b"");
    }
    service.finish();
}

#[test]
fn with_few_files_it_answers_while_the_service_is_flooded() {
    for files in [64, 256] {
        let service = Service::start_with(support::with_files(files));
        let limit = service.metrics().count("status_host_connections_limit");
        assert!(limit < u64::from(files), "{limit}");
        let flood: Vec<_> = (0..3 * files).map(|_| service.connect()).collect();
        for _ in 0..20 {
            assert_eq!(service.ask("/readyz").status, 200);
        }
        let metrics = service.metrics_until(|metrics| metrics.count("status_host_connections_open") == limit);
        assert_eq!(metrics.count("status_host_accept_failures_total"), 0);
        drop(flood);
        service.finish();
    }
}

#[test]
fn who_has_said_all_is_answered() {
    let service = Service::start();
    for _ in 0..200 {
        let mut stream = support::connect(service.admin.unwrap());
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(
            Response::parse(&support::read_to_close(&mut stream))
                .text()
                .contains("process_cpu")
        );
    }
    service.finish();
}

#[test]
fn metrics_come_in_the_format_that_is_asked_for() {
    let service = Service::start();
    let text = service.ask("/metrics");
    assert_eq!(text.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    text.assert_guarded();
    let open = service.ask_with("/metrics", "accept: application/openmetrics-text; version=1.0.0\r\n");
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(open.header("content-type"), media_type);
    assert!(open.text().ends_with("# EOF\n"));
    assert!(open.text().contains("# TYPE status_host_http_requests counter\n"));
    assert!(text.text().contains("# TYPE status_host_http_requests_total counter\n"));
    // Each of them is told what it is, once, in both.
    for (text, suffix) in [(text.text(), "_total"), (open.text(), "")] {
        for (name, kind) in [
            ("status_host_connections_accepted", "counter"),
            ("status_host_accept_failures", "counter"),
            ("process_cpu_seconds", "counter"),
            ("status_host_guest_seconds", "counter"),
        ] {
            let told = format!("# TYPE {name}{suffix} {kind}\n");
            assert_eq!(text.matches(&told).count(), 1, "{told} in {text}");
        }
    }
    service.finish();
}
