//! The log: which lines, in which format, and what they must not contain. The form of one event is tested in memory.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::Stdio;

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::component::trap;
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
fn life_of_a_server_is_logged_with_severity_and_trace() {
    let mut command = status_host();
    let server = TestServer::module(&trap(), command.env("GOOGLE_CLOUD_PROJECT", "my-project"));
    get(&server, "/status", TRACE);
    let mut log = vec![server.start.clone()];
    log.extend(server.stop());
    assert_eq!(messages(&log), ["serving", "component failed", "draining", "drained"]);
    let severities: Vec<_> = log.iter().map(|line| line["severity"].as_str().unwrap()).collect();
    assert_eq!(severities, ["INFO", "ERROR", "INFO", "INFO"]);
    assert_eq!(log[1][TRACE_FIELD], format!("projects/my-project/traces/{TRACE_ID}"));
    assert!(log[1]["error"].as_str().unwrap().contains("trapped"), "{}", log[1]);
    for line in &log {
        let time = line["time"].as_str().unwrap();
        assert!(humantime::parse_rfc3339(time).is_ok(), "{time}");
    }
}

#[test]
fn access_log_has_the_fields_of_google_cloud_and_no_secrets() {
    let server = TestServer::with_options("--access-log 1");
    let secrets = format!("{TRACE}authorization: secret\r\ncookie: secret\r\n");
    get(&server, "/status?secret=1#secret", &secrets);
    server.send("POST /status HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\nsecret");
    server.send("GET / HTTP/1.1\r\nhost: secret@secret\r\n\r\n");
    server.send("HEAD /secret\u{7f} HTTP/1.1\r\nhost: secret\r\n\r\n");
    let log = access_log(server.stop());
    let summary: Vec<_> = log
        .iter()
        .map(|line| {
            let request = &line["httpRequest"];
            [&request["requestMethod"], &request["requestUrl"], &request["status"]].map(Value::clone)
        })
        .collect();
    let expected = [
        json!(["GET", "/status", 200]),
        json!(["POST", "/status", 405]),
        json!(["GET", "/", 400]),
        // The head could not be parsed.
        json!([null, null, 400]),
    ];
    assert_eq!(json!(summary), json!(expected));
    assert!(!json!(log).to_string().contains("secret"), "{log:?}");

    assert_eq!(
        (&log[0]["severity"], &log[0][TRACE_FIELD]),
        (&"INFO".into(), &TRACE_ID.into())
    );
    let request = &log[0]["httpRequest"];
    assert_eq!(request["protocol"], "HTTP/1.1");
    assert!(request["responseSize"].as_u64().unwrap() > 0, "{request}");
    let latency = request["latency"].as_str().unwrap().strip_suffix('s').unwrap();
    assert!(latency.parse::<f64>().unwrap() > 0.0, "{latency}");
}

#[test]
fn access_log_is_sampled_evenly() {
    const REQUESTS: usize = 100;
    const SAMPLED: usize = 10;
    let server = TestServer::with_options("--access-log 0.1");
    let mut stream = server.connect();
    for _ in 0..REQUESTS {
        get_keep_alive(&mut stream, "/status");
    }
    drop(stream);
    assert_eq!(access_log(server.stop()).len(), SAMPLED);
}

/// The log of a server that rejects one request, at this level.
#[track_caller]
fn log_at(level: &str) -> Vec<Value> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut command = with_inherited_socket(listener, "--lockdown off");
    let mut process = Process::spawn(command.env("RUST_LOG", level).stderr(Stdio::piped()));
    drop(command);
    // The kernel holds the connection until the server accepts it.
    send(address, "GET /status HTTP/1.1\r\n\r\n");
    process.signal(Signal::SIGTERM);
    assert!(process.wait().success());
    LogLines::new(process.0.stderr.take().unwrap()).read_to(None)
}

#[test]
fn log_level_selects_events() {
    const AT_WARN: [&str; 1] = ["lockdown disabled"];
    const AT_INFO: [&str; 4] = ["lockdown disabled", "serving", "draining", "drained"];
    assert!(log_at("off").is_empty());
    for level in ["warn", "info,status_host=warn"] {
        assert_eq!(messages(&log_at(level)), AT_WARN, "{level}");
    }
    // Levels of other programs, and of targets that do not exist.
    for level in ["info,other-crate=debug", "other-crate=debug", "verbose"] {
        assert_eq!(messages(&log_at(level)), AT_INFO, "{level}");
    }
    let log = log_at("status_host=loud");
    assert_eq!(
        (&log[0]["message"], &log[0]["value"]),
        (
            &"RUST_LOG or --log-level is invalid; logging at level info".into(),
            &"status_host=loud".into()
        )
    );
    assert_eq!(messages(&log)[1..], AT_INFO);
    let log = log_at("status_host::http=debug");
    let rejected = log.iter().find(|line| line["message"] == "request rejected").unwrap();
    assert_eq!(
        (&rejected["severity"], &rejected["status"]),
        (&"DEBUG".into(), &400.into())
    );
    assert_eq!(rejected["detail"], "the Host header is missing");
}

#[test]
fn log_is_text_on_a_terminal() {
    // Opened so that no process that another test starts inherits it.
    let terminal = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let mut options = File::options();
    let slave = options.write(true).custom_flags(OFlag::O_NOCTTY.bits());
    let slave = slave.open(ptsname_r(&terminal).unwrap()).unwrap();
    let mut process = Process::spawn(status_host().args(["--listen", "127.0.0.1:0"]).stderr(slave));
    let mut lines = BufReader::new(File::from(OwnedFd::from(terminal)))
        .lines()
        .map(Result::unwrap);
    let serving = lines.find(|line| line.contains("serving")).unwrap();
    assert!(serving.contains(" INFO serving address="), "{serving}");
    process.signal(Signal::SIGTERM);
    assert!(process.wait().success());
}
