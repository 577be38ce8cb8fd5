//! The binary as a running server.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::component::component;
use super::log::LogLines;
use super::{Process, Response, client, command, wait_until};

/// A running server. When it is dropped it drains, and must exit successfully.
pub struct TestServer {
    pub address: SocketAddr,
    /// The address of the admin port, unless that is off.
    pub admin: Option<SocketAddr>,
    /// The log lines before `start`.
    pub before: Vec<Value>,
    /// The log line `serving`.
    pub start: Value,
    process: Option<Process>,
    log: LogLines,
}

impl TestServer {
    /// Serves the embedded component.
    #[track_caller]
    pub fn start() -> Self {
        Self::with_options("")
    }

    /// As [`TestServer::start`], with options that are separated by spaces.
    #[track_caller]
    pub fn with_options(options: &str) -> Self {
        Self::spawn(command::status_host().args(options.split_whitespace()))
    }

    /// Serves the probe: each of its paths is another way to behave.
    #[track_caller]
    pub fn probe(options: &str) -> Self {
        Self::with_options(&format!("--component {} {options}", probe_artifact::PATH))
    }

    /// Serves a component whose core module is `module`.
    #[track_caller]
    pub fn module(module: &str, command: &mut Command) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("component.wasm");
        fs::write(&file, component(module)).unwrap();
        Self::spawn(command.arg("--component").arg(&file))
    }

    /// Serves on an inherited socket.
    #[track_caller]
    pub fn inherit(listener: &TcpListener) -> Self {
        Self::spawn(&mut command::with_inherited_socket(listener.try_clone().unwrap(), ""))
    }

    #[track_caller]
    pub fn spawn(command: &mut Command) -> Self {
        let mut process = Process::spawn(command.env("LISTEN", "127.0.0.1:0").stderr(Stdio::piped()));
        let mut log = LogLines::new(process.0.stderr.take().unwrap());
        let mut before = log.read_to(Some("serving"));
        let start = before.pop().unwrap();
        Self {
            address: start["address"].as_str().unwrap().parse().unwrap(),
            admin: start["admin"].as_str().map(|admin| admin.parse().unwrap()),
            before,
            start,
            process: Some(process),
            log,
        }
    }

    fn process(&self) -> &Process {
        self.process.as_ref().unwrap()
    }

    fn id(&self) -> u32 {
        self.process().0.id()
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
    }

    /// A file of the process in `/proc`.
    pub fn proc(&self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.id())).unwrap()
    }

    /// The `status` of each thread in `/proc`.
    pub fn thread_status(&self) -> Vec<String> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.id())).unwrap();
        let status = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("status")).unwrap();
        threads.map(|thread| status(thread.unwrap())).collect()
    }

    #[track_caller]
    pub fn connect(&self) -> TcpStream {
        client::connect(self.address)
    }

    #[track_caller]
    pub fn get(&self, target: &str) -> Response {
        self.request("GET", target)
    }

    #[track_caller]
    pub fn request(&self, method: &str, target: &str) -> Response {
        let host = self.address;
        self.send(format!(
            "{method} {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
        ))
    }

    #[track_caller]
    pub fn send(&self, bytes: impl AsRef<[u8]>) -> Response {
        client::send(self.address, bytes)
    }

    /// Queries the admin port.
    #[track_caller]
    pub fn admin_get(&self, path: &str) -> Response {
        client::send(self.admin.unwrap(), format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"))
    }

    /// Sends a request without its body, which is one byte, and waits until the server reads that.
    #[track_caller]
    pub fn incomplete_request(&self) -> TcpStream {
        const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
        let mut stream = self.connect();
        let head = b"GET /status HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\n";
        stream.write_all(head).unwrap();
        let mut interim = [0; CONTINUE.len()];
        stream.read_exact(&mut interim).unwrap();
        assert_eq!(interim, CONTINUE);
        stream
    }

    /// Waits until the listener is closed.
    #[track_caller]
    pub fn wait_until_closed(&self) {
        wait_until("the listener is closed", || TcpStream::connect(self.address).is_err());
    }

    pub fn signal(&self, signal: Signal) {
        self.process().signal(signal);
    }

    /// Drains the server; returns the log lines after `start`.
    #[track_caller]
    pub fn stop(self) -> Vec<Value> {
        self.signal(Signal::SIGTERM);
        self.wait_for_success()
    }

    /// Stops the server without waiting for requests in flight; returns the log lines after `start`.
    #[track_caller]
    pub fn stop_now(mut self) -> Vec<Value> {
        self.signal(Signal::SIGTERM);
        let mut log = self.log.read_to(Some("draining"));
        self.signal(Signal::SIGINT);
        log.extend(self.wait_for_success());
        log
    }

    /// Waits until the server exits successfully; returns the log lines that have not been read.
    #[track_caller]
    pub fn wait_for_success(mut self) -> Vec<Value> {
        let status = self.process.take().unwrap().wait();
        let log = self.log.read_to(None);
        assert!(status.success(), "{status}: {log:?}");
        log
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // After a failure, the process is killed.
        if self.process.is_some() && !thread::panicking() {
            self.signal(Signal::SIGTERM);
            let status = self.process.take().map(|mut process| process.wait());
            assert!(status.is_some_and(|status| status.success()), "{status:?}");
        }
    }
}
