//! The portable components on a stock `wasmtime serve`: they respond as the host does.
//!
//! `WASMTIME` is the path of the runtime; `STANDALONE` is the path of the standalone component, which contains the
//! values of `APP_VERSION` and `COMMIT_SHA`. `make test-stock` sets all of them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use wit_component::DecodedWasm;

use crate::support::component::portable_component;
use crate::support::{COMMIT, Process, Response, TestServer, VERSION, assert_refused, run, send, status_host};

/// A running `wasmtime serve`.
struct StockRuntime {
    address: SocketAddr,
    _process: Process,
}

impl StockRuntime {
    #[track_caller]
    fn spawn(command: &mut Command) -> Self {
        let mut process = Process::spawn(command.stderr(Stdio::piped()));
        let mut lines = BufReader::new(process.0.stderr.take().unwrap()).lines();
        let address = lines.find_map(|line| Some(line.unwrap().rsplit_once("http://")?.1.to_owned()));
        Self {
            address: address.unwrap().trim_end_matches('/').parse().unwrap(),
            _process: process,
        }
    }

    #[track_caller]
    fn request(&self, method: &str, target: &str) -> Response {
        let request = format!("{method} {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        send(self.address, request)
    }
}

/// `wasmtime serve` on a free port, with `options`.
fn wasmtime_serve(options: &[&str]) -> Command {
    let mut command = Command::new(variable("WASMTIME"));
    command.args(["serve", "--addr", "127.0.0.1:0"]).args(options);
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
    let (version, commit) = (format!("APP_VERSION={VERSION}"), format!("COMMIT_SHA={COMMIT}"));
    let mut command = wasmtime_serve(&["-Scli", "--env", &version, "--env", &commit]);
    let stock = StockRuntime::spawn(command.arg(portable_component()));
    assert_same_responses(&stock, &TestServer::start());
}

#[test]
fn portable_component_without_a_variable_responds_with_a_problem_that_names_it() {
    let commit = format!("COMMIT_SHA={COMMIT}");
    let mut command = wasmtime_serve(&["-Scli", "--env", &commit]);
    let stock = StockRuntime::spawn(command.arg(portable_component()));
    let response = stock.request("GET", "/status");
    response.assert_problem(500);
    assert!(response.text().contains("`APP_VERSION`"));
}

#[test]
fn standalone_component_responds_as_on_the_host_without_an_option() {
    let stock = StockRuntime::spawn(wasmtime_serve(&[]).env_clear().arg(variable("STANDALONE")));
    let mut host = status_host();
    for name in ["APP_VERSION", "COMMIT_SHA"] {
        host.env(name, variable(name));
    }
    assert_same_responses(&stock, &TestServer::spawn(&mut host));
}

#[test]
fn instance_that_is_reused_needs_one_page_of_memory() {
    const REQUESTS: usize = 1_000;
    let mut command = wasmtime_serve(&["-Wmax-memory-size=65536", "--max-instance-reuse-count=1000000"]);
    let stock = StockRuntime::spawn(command.arg(variable("STANDALONE")));
    for count in 0..REQUESTS {
        assert_eq!(stock.request("GET", "/status").status, 200, "request {count}");
    }
}

#[test]
fn standalone_component_imports_only_http_and_its_streams() {
    let component = fs::read(variable("STANDALONE")).unwrap();
    let DecodedWasm::Component(resolve, world) = wit_component::decode(&component).unwrap() else {
        panic!("not a component");
    };
    let world = &resolve.worlds[world];
    let name = |key| resolve.name_world_key(key).split_once('@').unwrap().0.to_owned();
    let mut imports: Vec<_> = world.imports.keys().map(name).collect();
    imports.sort_unstable();
    assert_eq!(imports, ["wasi:http/types", "wasi:io/error", "wasi:io/streams"]);
    let exports: Vec<_> = world.exports.keys().map(name).collect();
    assert_eq!(exports, ["wasi:http/incoming-handler"]);
}

#[test]
fn binary_that_ships_refuses_a_component_file() {
    let file = portable_component();
    let output = run(&["--component", file.to_str().unwrap()], &[]);
    assert_refused(&output, 2, &[file.to_str().unwrap(), "with the feature `compiler`"]);
}
