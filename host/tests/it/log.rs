//! The log: which lines, in which format, and what they must not contain.

use std::net::TcpListener;
use std::process::Stdio;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::component::compiled_probe;
use crate::support::log::{LogLines, messages};
use crate::support::{Process, TestServer, get_keep_alive, send, status_host, with_inherited_socket};

const TRACE: &str = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";
const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
const TRACE_FIELD: &str = "logging.googleapis.com/trace";

#[track_caller]
fn get(server: &TestServer, target: &str, headers: &str) {
    server.send(format!(
        "GET {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\r\n"
    ));
}

/// The lines of the access log.
fn access_log(log: Vec<Value>) -> Vec<Value> {
    log.into_iter().filter(|line| line["message"] == "request").collect()
}

#[test]
fn each_line_has_time_severity_and_message() {
    let server = TestServer::probe("");
    server.get("/trap");
    let (mut log, start) = (server.before.clone(), server.start.clone());
    log.push(start);
    log.extend(server.stop());
    // The first line reports the lockdown, which depends on the kernel.
    let expected = [
        "connection capacity",
        "serving",
        "component failed",
        "draining",
        "drained",
    ];
    assert_eq!(messages(&log)[1..], expected);
    let severities: Vec<_> = log.iter().map(|line| line["severity"].as_str().unwrap()).collect();
    assert_eq!(severities[1..], ["INFO", "INFO", "ERROR", "INFO", "INFO"]);
    for line in &log {
        let time = line["time"].as_str().unwrap();
        assert!(humantime::parse_rfc3339(time).is_ok() && time.ends_with('Z'), "{time}");
    }
    assert!(log[2]["admin"].as_str().unwrap().starts_with("127.0.0.1:"));
}

/// The trace in the log of a failed request with this header.
#[track_caller]
fn logged_trace(project: &str, header: &str) -> Value {
    let mut command = status_host();
    command.args(["--allow-precompiled", "--component", compiled_probe()]);
    let server = TestServer::spawn(command.env("GOOGLE_CLOUD_PROJECT", project));
    get(&server, "/trap", header);
    server.stop()[0][TRACE_FIELD].clone()
}

#[test]
fn traceparent_is_logged_with_a_failure() {
    assert_eq!(logged_trace("", TRACE), TRACE_ID);
}

#[test]
fn x_cloud_trace_context_is_logged_with_a_failure() {
    let header = format!("x-cloud-trace-context: {TRACE_ID}/1;o=1\r\n");
    assert_eq!(logged_trace("", &header), TRACE_ID);
}

#[test]
fn invalid_traceparent_is_ignored() {
    assert_eq!(logged_trace("", "traceparent: nonsense\r\n"), Value::Null);
}

#[test]
fn trace_is_linked_to_its_project() {
    let name = format!("projects/my-project/traces/{TRACE_ID}");
    assert_eq!(logged_trace("my-project", TRACE), name);
}

#[test]
fn access_log_is_off_by_default() {
    let server = TestServer::start();
    server.get("/status");
    server.get("/nothing");
    server.send("nonsense\r\n\r\n");
    assert!(access_log(server.stop()).is_empty());
}

#[test]
fn access_log_has_the_fields_of_google_cloud_and_no_secrets() {
    let server = TestServer::with_options("--access-log 1");
    let secrets = format!("{TRACE}authorization: secret\r\ncookie: secret\r\n");
    get(&server, "/status?secret=1", &secrets);
    server.send("POST /status HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\nsecret");
    server.send("HEAD /\"secre%74 HTTP/1.0\r\n\r\n");
    server.send("GET /secret?secret#secret HTTP/1.1\r\nhost: secret\r\n\r\n");
    let log = access_log(server.stop());
    assert_eq!(log.len(), 4);
    assert!(!Value::from(log.clone()).to_string().contains("secret"));

    assert_eq!(log[0]["severity"], "INFO");
    assert_eq!(log[0][TRACE_FIELD], TRACE_ID);
    let mut first = log[0]["httpRequest"].as_object().unwrap().clone();
    let latency = first.remove("latency").unwrap();
    let seconds: f64 = latency.as_str().unwrap().strip_suffix('s').unwrap().parse().unwrap();
    assert!(seconds > 0.0, "{latency}");
    assert!(first.remove("responseSize").unwrap().as_u64().unwrap() > 100);
    let expected = json!({"requestMethod": "GET", "requestUrl": "/status", "status": 200, "protocol": "HTTP/1.1"});
    assert_eq!(Value::from(first), expected);
    assert_eq!(log[1]["httpRequest"]["requestMethod"], "POST");
    assert_eq!(log[1]["httpRequest"]["status"], 405);
    // A rejected request has a status, and nothing that the client sent.
    for line in &log[2..] {
        assert_eq!(line["httpRequest"]["requestUrl"], Value::Null);
        assert_eq!(line["httpRequest"]["status"], 400);
    }
}

#[test]
fn access_log_can_be_sampled() {
    let server = TestServer::with_options("--access-log 0.1");
    let mut stream = server.connect();
    for _ in 0..100 {
        get_keep_alive(&mut stream, "/status");
    }
    drop(stream);
    assert_eq!(access_log(server.stop()).len(), 10);
}

/// The log of a server whose component fails once and that rejects one request.
#[track_caller]
fn log_at(level: &str) -> Vec<Value> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut command = with_inherited_socket(
        listener,
        &format!("--allow-precompiled --component {}", compiled_probe()),
    );
    let mut process = Process::spawn(command.env("RUST_LOG", level).stderr(Stdio::piped()));
    drop(command);
    let mut log = LogLines::new(process.0.stderr.take().unwrap());
    // The kernel holds the connections until the server accepts them.
    send(address, "GET /trap HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    send(address, "nonsense\r\n\r\n");
    process.signal(Signal::SIGTERM);
    assert!(process.wait().success());
    log.read_to_end()
}

#[test]
fn log_level_selects_events() {
    assert!(log_at("off").is_empty());
    assert_eq!(messages(&log_at("")), messages(&log_at("info")));
    for level in ["error", "info,status_host=error", "status_host::http=error"] {
        let log = log_at(level);
        assert_eq!(messages(&log), ["component failed"], "{level}");
    }
    let log = log_at("info,status_host=loud");
    assert_eq!(
        messages(&log)[0],
        "RUST_LOG or --log-level is invalid; logging at level info"
    );
    assert_eq!(log[0]["value"], "info,status_host=loud");
    assert_eq!(messages(&log)[1..], messages(&log_at("info,other-crate=debug")));
    let log = log_at("debug");
    let rejected = log.iter().find(|line| line["severity"] == "DEBUG").unwrap();
    assert_eq!(rejected["message"], "request rejected");
    assert_eq!(rejected["status"], 400);
    let detail = rejected["detail"].as_str().unwrap();
    assert!(detail.contains("request line"), "{detail}");
}
