//! The portable component on a stock `wasmtime serve`, by the documented command: it answers as it does here.
//!
//! Needs the feature `stock-runtime`, and in `WASMTIME` the path of the runtime; `make test-stock` sets both.

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

use support::{COMMIT, Response, Service, VERSION};

/// `wasmtime serve` while it runs.
struct Stock {
    process: Child,
    address: SocketAddr,
}

impl Stock {
    fn start(variables: &[String]) -> Self {
        let runtime = std::env::var_os("WASMTIME").unwrap();
        let mut command = Command::new(runtime);
        command.args(["serve", "-Scli", "--addr", "127.0.0.1:0"]);
        command.args(variables.iter().flat_map(|variable| ["--env", variable]));
        command.arg(support::portable_component());
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

#[test]
fn the_answers_are_byte_for_byte_the_same() {
    let stock = Stock::start(&[format!("APP_VERSION={VERSION}"), format!("COMMIT_SHA={COMMIT}")]);
    let service = Service::start();
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
    service.finish();
}

#[test]
fn a_variable_that_is_not_granted_is_named() {
    let stock = Stock::start(&[format!("COMMIT_SHA={COMMIT}")]);
    let answer = stock.request("GET", "/status");
    answer.assert_problem(500);
    assert!(answer.text().contains("`APP_VERSION`"));
    assert_eq!(stock.request("GET", "/status").status, 500, "it lives on");
}
