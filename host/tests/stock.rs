//! The portable components on a stock `wasmtime serve`, by the documented commands: they answer as the host does.
//!
//! Needs the feature `stock-runtime`; in `WASMTIME` the path of the runtime, in `STANDALONE` that of the component that has
//! `APP_VERSION` and `COMMIT_SHA` in itself, and both of these as they are there. `make test-stock` sets all of it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use support::{COMMIT, Process, Response, Service, VERSION};

/// `wasmtime serve` while it runs.
struct Stock {
    process: Child,
    address: SocketAddr,
}

impl Stock {
    /// By the documented command for the component that needs a grant.
    fn start_granted(variables: &[String]) -> Self {
        let mut command = serve();
        command.arg("-Scli");
        command.args(variables.iter().flat_map(|variable| ["--env", variable]));
        command.arg(support::portable_component());
        Self::start(command)
    }

    fn start(mut command: Command) -> Self {
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stderr.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line
            .trim()
            .trim_end_matches('/')
            .rsplit_once("http://")
            .unwrap()
            .1
            .parse()
            .unwrap();
        Self { process, address }
    }

    fn request(&self, method: &str, target: &str) -> Response {
        let request = format!("{method} {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        support::send(self.address, request)
    }
}

impl Drop for Stock {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// `wasmtime serve`, and no flag but for a free port.
fn serve() -> Command {
    let mut command = Command::new(variable("WASMTIME"));
    command.args(["serve", "--addr", "127.0.0.1:0"]);
    command
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; run make test-stock"))
}

fn assert_same(stock: &Stock, service: &Service) {
    for (method, target, status) in [
        ("GET", "/status", 200),
        ("GET", "/status?a=b", 200),
        ("HEAD", "/status", 200),
        ("POST", "/status", 405),
        ("GET", "/", 404),
    ] {
        let (there, here) = (stock.request(method, target), service.request(method, target));
        assert_eq!((there.status, here.status), (status, status), "{method} {target}");
        assert_eq!(there.body, here.body, "{method} {target}");
        for (name, value) in here
            .headers
            .iter()
            .filter(|(name, _)| name != "date" && name != "connection")
        {
            assert_eq!(there.header(name), value, "{method} {target}");
        }
    }
}

#[test]
fn the_answers_are_byte_for_byte_the_same() {
    let stock = Stock::start_granted(&[format!("APP_VERSION={VERSION}"), format!("COMMIT_SHA={COMMIT}")]);
    let service = Service::start();
    assert_same(&stock, &service);
    service.finish();
}

#[test]
fn the_standalone_component_needs_no_flag() {
    let mut command = serve();
    command.env_clear().arg(variable("STANDALONE"));
    let stock = Stock::start(command);
    let mut host = support::status_host();
    for name in ["APP_VERSION", "COMMIT_SHA"] {
        host.env(name, variable(name));
    }
    let service = Service::start_with(host);
    assert_same(&stock, &service);
    service.finish();
}

#[test]
fn an_instance_that_lives_on_gets_by_with_one_page() {
    let mut command = serve();
    command.args(["-Wmax-memory-size=65536", "--max-instance-reuse-count=1000000"]);
    command.arg(variable("STANDALONE"));
    let stock = Stock::start(command);
    for count in 0..1000 {
        assert_eq!(stock.request("GET", "/status").status, 200, "request {count}");
    }
}

#[test]
fn the_other_component_needs_one() {
    let child = serve()
        .arg(support::portable_component())
        .stderr(Stdio::piped())
        .spawn();
    let mut process = Process(child.unwrap());
    let lines = BufReader::new(process.0.stderr.take().unwrap()).lines();
    let lines = lines.map(Result::unwrap).take_while(|line| !line.contains("http://"));
    let error = lines.collect::<Vec<_>>().join(" ");
    assert!(error.contains("wasi:cli/environment"), "{error}");
}

#[test]
fn the_standalone_component_imports_http_and_its_streams() {
    let component = variable("STANDALONE");
    let output = support::run(&["inspect", "--json", "--component", &component], &[]);
    assert!(output.status.success(), "{output:?}");
    let inspected: Value = serde_json::from_slice(&output.stdout).unwrap();
    let imports = inspected["imports"].as_array().unwrap().iter();
    let mut imports: Vec<_> = imports
        .map(|import| import["name"].as_str().unwrap().split_once('@').unwrap().0)
        .collect();
    imports.sort_unstable();
    assert_eq!(imports, ["wasi:http/types", "wasi:io/error", "wasi:io/streams"]);
    assert_eq!(inspected["exports"].as_array().unwrap().len(), 1);
    let export = inspected["exports"][0].as_str().unwrap();
    assert!(export.starts_with("wasi:http/incoming-handler@0.2."), "{export}");
}

#[test]
fn a_variable_that_is_not_granted_is_named() {
    let stock = Stock::start_granted(&[format!("COMMIT_SHA={COMMIT}")]);
    let answer = stock.request("GET", "/status");
    answer.assert_problem(500);
    assert!(answer.text().contains("`APP_VERSION`"));
    assert_eq!(stock.request("GET", "/status").status, 500, "it lives on");
}
