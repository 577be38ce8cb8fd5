//! The binary as a running server.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::thread;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::component::compiled_probe;
use super::log::{LogLines, messages};
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
    log: Mutex<LogLines>,
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
        Self::with_options(&format!(
            "--allow-precompiled --component {} {options}",
            compiled_probe()
        ))
    }

    /// Serves on an inherited socket.
    #[track_caller]
    pub fn inherit(listener: &TcpListener, arguments: &str) -> Self {
        Self::spawn(&mut command::with_inherited_socket(
            listener.try_clone().unwrap(),
            arguments,
        ))
    }

    #[track_caller]
    pub fn spawn(command: &mut Command) -> Self {
        let mut process = Process::spawn(command.env("LISTEN", "127.0.0.1:0").stderr(Stdio::piped()));
        let mut log = LogLines::new(process.0.stderr.take().unwrap());
        let start = log.wait_for("serving");
        let mut before = log.take();
        before.pop();
        Self {
            address: start["address"].as_str().unwrap().parse().unwrap(),
            admin: start["admin"].as_str().map(|admin| admin.parse().unwrap()),
            before,
            start,
            process: Some(process),
            log: Mutex::new(log),
        }
    }

    fn process(&self) -> &Process {
        self.process.as_ref().unwrap()
    }

    pub fn id(&self) -> u32 {
        self.process().0.id()
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The maximum of resident memory so far, in bytes.
    pub fn peak_resident_bytes(&self) -> u64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, name: &str) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
    }

    /// A file of the process in `/proc`.
    pub fn proc(&self, name: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{name}", self.id())).unwrap()
    }

    /// Open file descriptors of the process.
    pub fn open_fds(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.id())).unwrap().count()
    }

    #[track_caller]
    pub fn connect(&self) -> TcpStream {
        client::connect(self.address)
    }

    #[track_caller]
    pub fn get(&self, target: &str) -> Response {
        self.request("GET", target)
    }

    /// As [`TestServer::get`]; `None` if the server closes the connection without a response.
    pub fn try_get(&self, target: &str) -> Option<Response> {
        client::try_send(self.address, self.head("GET", target))
    }

    #[track_caller]
    pub fn request(&self, method: &str, target: &str) -> Response {
        self.send(self.head(method, target))
    }

    #[track_caller]
    pub fn send(&self, bytes: impl AsRef<[u8]>) -> Response {
        client::send(self.address, bytes)
    }

    fn head(&self, method: &str, target: &str) -> String {
        let host = self.address;
        format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")
    }

    /// Queries the admin port.
    #[track_caller]
    pub fn admin_get(&self, path: &str) -> Response {
        self.admin_get_with(path, "")
    }

    /// Queries the admin port, with further header lines.
    #[track_caller]
    pub fn admin_get_with(&self, path: &str, headers: &str) -> Response {
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n{headers}\r\n");
        client::send(self.admin.unwrap(), request)
    }

    /// A request to the probe that is incomplete: the server waits for its body.
    #[track_caller]
    pub fn incomplete_request(&self) -> IncompleteRequest {
        let mut stream = self.connect();
        let head = b"POST /wait-for-body HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\n";
        stream.write_all(head).unwrap();
        let mut interim = [0; 25];
        stream.read_exact(&mut interim).unwrap();
        assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
        IncompleteRequest(stream)
    }

    /// Makes `count` instances of the probe compute until the server exits.
    #[track_caller]
    pub fn occupy_instances(&self, count: u64) -> Vec<TcpStream> {
        let spin = || {
            let mut stream = self.connect();
            stream.write_all(b"GET /spin HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
            stream
        };
        let spinning = (0..count).map(|_| spin()).collect();
        self.wait_for_metric("status_host_instances_in_use", count);
        spinning
    }

    /// Opens connections until neither port can accept one, and returns them. Needs [`command::with_fd_limit`].
    #[track_caller]
    pub fn exhaust_fds(&self) -> Vec<TcpStream> {
        let mut connections = Vec::new();
        wait_until("both ports fail to accept", || {
            // The admin port does not limit itself to the file descriptors that exist. The service port does.
            connections.push(client::connect(self.admin.unwrap()));
            connections.push(self.connect());
            self.has_logged("accept failed on the admin port") && self.has_logged("accept failed")
        });
        connections
    }

    /// Waits until the listener is closed.
    #[track_caller]
    pub fn wait_until_closed(&self) {
        wait_until("the listener is closed", || TcpStream::connect(self.address).is_err());
    }

    /// Waits for a log message.
    #[track_caller]
    pub fn wait_for_log(&self, message: &str) -> Value {
        self.log.lock().unwrap().wait_for(message)
    }

    pub fn has_logged(&self, message: &str) -> bool {
        self.log.lock().unwrap().contains(message)
    }

    pub fn signal(&self, signal: Signal) {
        self.process().signal(signal);
    }

    /// Waits until the server exits; returns its status and the log lines after `start`.
    #[track_caller]
    pub fn wait(mut self) -> (ExitStatus, Vec<Value>) {
        let status = self.process.take().unwrap().wait();
        (status, self.log.get_mut().unwrap().read_to_end())
    }

    /// Drains the server; returns the log lines after `start`.
    #[track_caller]
    pub fn stop(self) -> Vec<Value> {
        self.signal(Signal::SIGTERM);
        self.wait_for_success()
    }

    /// Stops the server without waiting for requests in flight; returns the log lines after `start`.
    #[track_caller]
    pub fn stop_now(self) -> Vec<Value> {
        self.signal(Signal::SIGTERM);
        self.wait_for_log("draining");
        self.signal(Signal::SIGINT);
        let log = self.wait_for_success();
        assert_eq!(
            messages(&log).last(),
            Some(&"second signal; closing remaining connections"),
            "{log:?}"
        );
        log
    }

    /// Waits until the server exits successfully; returns the log lines after `start`.
    #[track_caller]
    pub fn wait_for_success(self) -> Vec<Value> {
        let (status, log) = self.wait();
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

/// A request whose body is missing.
pub struct IncompleteRequest(TcpStream);

impl IncompleteRequest {
    /// Sends the body and reads the response.
    #[track_caller]
    pub fn complete(mut self) -> Response {
        self.0.write_all(b"!").unwrap();
        Response::parse(&client::read_to_close(&mut self.0))
    }
}
