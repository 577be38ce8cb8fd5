//! The log: what is told, in which form, and what is not.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::io::Read;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use support::{Process, Service};

const TRACE: &str = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";
const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";

fn get(service: &Service, target: &str, headers: &str) {
    service.send(format!(
        "GET {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\r\n"
    ));
}

/// The lines that the access log has.
fn requests(log: Vec<Value>) -> Vec<Value> {
    log.into_iter().filter(|line| line["message"] == "request").collect()
}

#[test]
fn each_line_has_a_time_a_severity_and_a_message() {
    let service = Service::start_probe(&[]);
    service.get("/trap");
    let mut log = service.before.clone();
    log.push(service.start.clone());
    log.extend(service.finish());
    let told: Vec<_> = log.iter().map(|line| line["message"].as_str().unwrap()).collect();
    let expected = [
        "locked down",
        "serving /status",
        "the component gave no answer",
        "draining",
        "drained",
    ];
    assert_eq!(told, expected);
    let severities: Vec<_> = log.iter().map(|line| line["severity"].as_str().unwrap()).collect();
    assert_eq!(severities[1..], ["INFO", "ERROR", "INFO", "INFO"]);
    for line in &log {
        let time = line["time"].as_str().unwrap();
        assert!(humantime::parse_rfc3339(time).is_ok() && time.ends_with('Z'), "{time}");
    }
    let service_line = &log[1];
    assert!(service_line["admin"].as_str().unwrap().starts_with("127.0.0.1:"));
}

#[test]
fn a_failure_is_told_with_its_trace() {
    let service = Service::start_probe(&[]);
    get(&service, "/trap", TRACE);
    get(&service, "/silent", "traceparent: nonsense\r\n");
    let log = service.finish();
    assert_eq!(log[0]["logging.googleapis.com/trace"], TRACE_ID);
    assert!(log[1].get("logging.googleapis.com/trace").is_none(), "{:?}", log[1]);
}

#[test]
fn a_trace_is_linked_where_its_project_is_known() {
    let mut command = support::status_host();
    command
        .args(["--component", probe_artifact::PATH])
        .env("GOOGLE_CLOUD_PROJECT", "my-project");
    let service = Service::start_with(command);
    get(&service, "/trap", TRACE);
    let log = service.finish();
    let name = format!("projects/my-project/traces/{TRACE_ID}");
    assert_eq!(log[0]["logging.googleapis.com/trace"], name);
    // An empty variable is as good as none.
    let service = Service::start_probe(&["--google-cloud-project="]);
    get(&service, "/trap", TRACE);
    assert_eq!(service.finish()[0]["logging.googleapis.com/trace"], TRACE_ID);
}

#[test]
fn requests_are_not_told_of_unless_asked_for() {
    let service = Service::start();
    service.get("/status");
    service.get("/nothing");
    service.send("nonsense\r\n\r\n");
    assert!(requests(service.finish()).is_empty());
}

#[test]
fn a_request_is_told_of_as_google_cloud_reads_it() {
    let service = Service::start_with_options(&["--access-log", "1"]);
    get(
        &service,
        "/status?secret=1",
        &format!("{TRACE}authorization: secret\r\ncookie: secret\r\n"),
    );
    service.send("POST /status HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\nsecret");
    service.send("HEAD /\"secre%74 HTTP/1.0\r\n\r\n");
    service.send("GET /secret?secret#secret HTTP/1.1\r\nhost: secret\r\n\r\n");
    let log = requests(service.finish());
    let mut first = log[0]["httpRequest"].as_object().unwrap().clone();
    let latency = first.remove("latency").unwrap();
    let seconds: f64 = latency.as_str().unwrap().strip_suffix('s').unwrap().parse().unwrap();
    assert!(seconds > 0.0 && seconds < 1.0, "{latency}");
    assert!(first.remove("responseSize").unwrap().as_u64().unwrap() > 100);
    let expected = json!({
        "requestMethod": "GET",
        "requestUrl": "/status",
        "status": 200,
        "protocol": "HTTP/1.1",
    });
    assert_eq!(Value::from(first), expected);
    assert_eq!(
        (&log[0]["severity"], &log[0]["logging.googleapis.com/trace"]),
        (&"INFO".into(), &TRACE_ID.into())
    );
    let told = |line: &Value, name: &str| line["httpRequest"][name].clone();
    assert_eq!(
        (told(&log[1], "requestMethod"), told(&log[1], "status")),
        ("POST".into(), 405.into())
    );
    // Not what could not be read, but that it came.
    for line in &log[2..] {
        assert_eq!(
            (told(line, "requestUrl"), told(line, "status")),
            (Value::Null, 400.into()),
            "{line}"
        );
    }
    assert_eq!(log.len(), 4);
    assert!(!Value::from(log).to_string().contains("secret"));
}

#[test]
fn a_sample_is_told_of() {
    let service = Service::start_with_options(&["--access-log", "0.1"]);
    let mut stream = service.connect();
    for _ in 0..100 {
        support::get_on(&mut stream, "/status");
    }
    drop(stream);
    assert_eq!(requests(service.finish()).len(), 10);
}

#[test]
fn a_share_that_is_none_is_refused() {
    for share in ["", "all", "-0.1", "1.1", "NaN", "10%"] {
        let output = support::run(&["--listen", "127.0.0.1:0", "--access-log", share], &[]);
        support::assert_refused(&output, 2, &["--access-log", "not between 0 and 1"]);
    }
}

#[test]
fn what_is_less_severe_than_asked_for_is_not_told() {
    let serves = |level: &str| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let arguments = format!("--component {}", probe_artifact::PATH);
        let mut command = support::handed_over(OwnedFd::from(listener), &arguments);
        let mut child = command.env("RUST_LOG", level).stderr(Stdio::piped()).spawn().unwrap();
        drop(command);
        let mut log = child.stderr.take().unwrap();
        let mut process = Process(child);
        // The kernel holds them until they are accepted.
        support::send(address, "GET /trap HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        support::send(address, "nonsense\r\n\r\n");
        process.signal(Signal::SIGTERM);
        assert!(process.0.wait().unwrap().success());
        let mut text = String::new();
        log.read_to_string(&mut text).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.collect::<Vec<_>>()
    };
    assert!(serves("off").is_empty());
    assert_eq!(serves("").len(), serves("info").len());
    for level in ["error", "info,status_host=error", "status_host::server=error"] {
        let errors = serves(level);
        assert_eq!(
            (errors.len(), &errors[0]["severity"]),
            (1, &"ERROR".into()),
            "{level}: {errors:?}"
        );
    }
    let all = serves("debug");
    let rejected = all.iter().find(|line| line["severity"] == "DEBUG").unwrap();
    assert_eq!(
        (&rejected["message"], &rejected["status"]),
        (&"a request is rejected".into(), &400.into())
    );
    assert!(
        rejected["detail"].as_str().unwrap().contains("request line"),
        "{rejected}"
    );
}

#[test]
fn a_level_that_is_none_is_refused() {
    for level in ["loud", "info,loud", "status_host=loud", "info,[span]=debug"] {
        let output = support::run(&["--listen", "127.0.0.1:0", "--log-level", level], &[]);
        support::assert_refused(
            &output,
            2,
            &["--log-level", "none of off, error, warn, info, debug and trace"],
        );
    }
}

#[test]
fn the_form_of_the_log_can_be_chosen() {
    // Which the harness reads as JSON.
    Service::start_with_options(&["--log-format", "json"]).finish();
    let mut command = support::status_host();
    command
        .args(["--listen", "127.0.0.1:0", "--log-format", "text"])
        .stderr(Stdio::piped());
    let mut process = Process(command.spawn().unwrap());
    let mut log = process.0.stderr.take().unwrap();
    let mut text = String::new();
    while !text.contains("serving /status") {
        let mut piece = [0; 1024];
        let read = log.read(&mut piece).unwrap();
        assert_ne!(read, 0, "{text}");
        text.push_str(std::str::from_utf8(&piece[..read]).unwrap());
    }
    assert!(text.lines().all(|line| !line.starts_with('{')), "{text}");
    drop(process);
}
