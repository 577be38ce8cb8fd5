//! The portable components on a stock `wasmtime serve`: they respond as the host does.
//!
//! `WASMTIME` is the path of the runtime; `STANDALONE` is the path of the standalone component, which contains the
//! values of `APP_VERSION` and `COMMIT_SHA`. `make test-stock` sets all of them.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::command::BINARY;
use crate::support::{COMMIT, Process, Response, TestServer, VERSION, portable_component, send, status_host};

/// A running `wasmtime serve`.
struct StockRuntime {
    address: SocketAddr,
    _process: Process,
}

impl StockRuntime {
    /// Serves the portable component, with `variables` in its environment.
    #[track_caller]
    fn with_variables(variables: &[String]) -> Self {
        let mut command = wasmtime_serve();
        command.arg("-Scli");
        command.args(variables.iter().flat_map(|variable| ["--env", variable]));
        Self::spawn(command.arg(portable_component()))
    }

    #[track_caller]
    fn spawn(command: &mut Command) -> Self {
        let (process, line) = start(command);
        let (_, address) = line.rsplit_once("http://").unwrap_or_else(|| panic!("{line}"));
        Self {
            address: address.trim_end_matches('/').parse().unwrap(),
            _process: process,
        }
    }

    #[track_caller]
    fn request(&self, method: &str, target: &str) -> Response {
        let request = format!("{method} {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        send(self.address, request)
    }
}

/// Starts the runtime; returns what it prints up to its address, or all of it.
#[track_caller]
fn start(command: &mut Command) -> (Process, String) {
    use std::io::{BufRead, BufReader};
    let mut process = Process::spawn(command.stderr(Stdio::piped()));
    let mut lines = BufReader::new(process.0.stderr.take().unwrap()).lines();
    let mut printed = String::new();
    for line in lines.by_ref().map(Result::unwrap) {
        printed.push_str(&line);
        if line.contains("http://") {
            break;
        }
        printed.push(' ');
    }
    (process, printed)
}

/// `wasmtime serve` on a free port, without other options.
fn wasmtime_serve() -> Command {
    let mut command = Command::new(variable("WASMTIME"));
    command.args(["serve", "--addr", "127.0.0.1:0"]);
    command
}

#[track_caller]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; run make test-stock"))
}

#[track_caller]
fn assert_same_responses(stock: &StockRuntime, server: &TestServer) {
    for (method, target, status) in [
        ("GET", "/status", 200),
        ("GET", "/status?a=b", 200),
        ("HEAD", "/status", 200),
        ("POST", "/status", 405),
        ("GET", "/", 404),
    ] {
        let (theirs, ours) = (stock.request(method, target), server.request(method, target));
        assert_eq!((theirs.status, ours.status), (status, status), "{method} {target}");
        assert_eq!(theirs.body, ours.body, "{method} {target}");
        for (name, value) in &ours.headers {
            if name != "date" && name != "connection" {
                assert_eq!(theirs.header(name), value, "{method} {target}");
            }
        }
    }
}

#[test]
fn portable_component_responds_as_on_the_host() {
    let variables = [format!("APP_VERSION={VERSION}"), format!("COMMIT_SHA={COMMIT}")];
    let server = TestServer::start();
    assert_same_responses(&StockRuntime::with_variables(&variables), &server);
}

#[test]
fn portable_component_needs_an_option() {
    let (_process, error) = start(wasmtime_serve().arg(portable_component()));
    assert!(error.contains("wasi:cli/environment"), "{error}");
}

#[test]
fn portable_component_names_an_unset_variable() {
    let stock = StockRuntime::with_variables(&[format!("COMMIT_SHA={COMMIT}")]);
    let response = stock.request("GET", "/status");
    response.assert_problem(500);
    assert!(response.text().contains("`APP_VERSION`"));
    // It does not trap.
    assert_eq!(stock.request("GET", "/status").status, 500);
}

#[test]
fn standalone_component_needs_no_option() {
    let mut command = wasmtime_serve();
    let stock = StockRuntime::spawn(command.env_clear().arg(variable("STANDALONE")));
    let mut host = status_host();
    for name in ["APP_VERSION", "COMMIT_SHA"] {
        host.env(name, variable(name));
    }
    let server = TestServer::spawn(&mut host);
    assert_same_responses(&stock, &server);
}

#[test]
fn reused_instance_needs_one_page_of_memory() {
    let mut command = wasmtime_serve();
    command.args(["-Wmax-memory-size=65536", "--max-instance-reuse-count=1000000"]);
    let stock = StockRuntime::spawn(command.arg(variable("STANDALONE")));
    for count in 0..1000 {
        assert_eq!(stock.request("GET", "/status").status, 200, "request {count}");
    }
}

#[test]
fn standalone_component_imports_only_http_and_its_streams() {
    let mut inspect = Command::new(BINARY); // which has a compiler, unlike the one that ships
    inspect.args(["inspect", "--json", "--component", &variable("STANDALONE")]);
    let output = inspect.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let name = |import: &Value| import["name"].as_str().unwrap().split_once('@').unwrap().0.to_owned();
    let mut imports: Vec<_> = report["imports"].as_array().unwrap().iter().map(name).collect();
    imports.sort_unstable();
    assert_eq!(imports, ["wasi:http/types", "wasi:io/error", "wasi:io/streams"]);
    let exports = report["exports"].as_array().unwrap();
    assert_eq!(exports.len(), 1);
    let export = exports[0].as_str().unwrap();
    assert!(export.starts_with("wasi:http/incoming-handler@0.2."), "{export}");
}
