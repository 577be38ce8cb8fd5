//! Runs the real binary on a free port and talks to it over a real socket.

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod metrics;
pub mod module;

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

pub const VERSION: &str = "1.2.3-test";
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// The longest a test waits for what should come at once.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The binary with an environment that holds the two variables, and for measured runs where to write coverage.
pub fn status_host() -> Command {
    in_environment(Command::new(env!("CARGO_BIN_EXE_status-host")))
}

/// The binary with `file` handed over as what it listens on.
pub fn handed_over(file: OwnedFd, arguments: &str) -> Command {
    let mut shell = in_environment(Command::new("/bin/sh"));
    let script = format!(r#"LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" {arguments} 3<&0"#);
    shell.args(["-c", &script, env!("CARGO_BIN_EXE_status-host")]);
    shell.stdin(Stdio::from(file));
    shell
}

/// `command` in the environment that the binary gets.
pub fn in_environment(mut command: Command) -> Command {
    command
        .env_clear()
        .env("APP_VERSION", VERSION)
        .env("COMMIT_SHA", COMMIT)
        .env("ADMIN", "127.0.0.1:0");
    if let Ok(profile) = std::env::var("LLVM_PROFILE_FILE") {
        // Written all the time: at its end the process has no way to open a file.
        command.env("LLVM_PROFILE_FILE", profile.replace("%p", "%p%c"));
    }
    command
}

/// The binary where no more than `files` files can be open.
pub fn with_files(files: u32) -> Command {
    let mut shell = in_environment(Command::new("/bin/sh"));
    let script = format!(r#"ulimit -n {files}; exec "$0""#);
    shell.args(["-c", &script, env!("CARGO_BIN_EXE_status-host")]);
    shell
}

/// An address of this machine that nobody listens on, another at each call. It is not one of those that connections get,
/// which may take it at any time.
pub fn free() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let port = 10_000 + (std::process::id() * 64 + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        if let Ok(listener) = TcpListener::bind(format!("127.0.0.1:{port}")) {
            return listener.local_addr().unwrap();
        }
    }
}

/// The portable component that the build of the binary has left.
pub fn portable_component() -> PathBuf {
    // The binary lies in a folder of its profile, that one in cargo's target directory.
    let binary = Path::new(env!("CARGO_BIN_EXE_status-host"));
    binary.ancestors().nth(2).unwrap().join("component.wasm")
}

/// Runs the binary to its end.
pub fn run(arguments: &[&str], variables: &[(&str, &OsStr)]) -> Output {
    status_host()
        .args(arguments)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

/// Checks that a run was refused: the exit code, nothing on standard output, one line that has each of `parts`.
pub fn assert_refused(output: &Output, code: i32, parts: &[&str]) {
    let message = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{message}");
    assert!(output.stdout.is_empty());
    assert_eq!(message.lines().count(), 1, "not one line: {message}");
    assert!(message.starts_with("status-host: "), "{message}");
    for part in parts {
        assert!(message.contains(part), "no `{part}` in: {message}");
    }
    assert!(!message.contains("panicked"), "{message}");
}

/// The binary while it serves.
pub struct Service {
    pub address: SocketAddr,
    /// Its admin port, which is none where it is off.
    pub admin: Option<SocketAddr>,
    /// The lines of the log that come before the one that tells of the start.
    pub before: Vec<Value>,
    pub start: Value,
    process: Process,
    log: Option<JoinHandle<Vec<Value>>>,
}

impl Service {
    pub fn start() -> Self {
        Self::start_with(status_host())
    }

    pub fn start_with_options(options: &[&str]) -> Self {
        let mut command = status_host();
        command.args(options);
        Self::start_with(command)
    }

    /// Serves the component whose paths are ways to behave.
    pub fn start_probe(options: &[&str]) -> Self {
        Self::start_with_options(&[&["--component", probe_artifact::PATH], options].concat())
    }

    pub fn start_with(mut command: Command) -> Self {
        let child = command.env("LISTEN", "127.0.0.1:0").stderr(Stdio::piped()).spawn();
        let mut process = Process(child.unwrap());
        let mut lines = BufReader::new(process.0.stderr.take().unwrap());
        let mut before = Vec::new();
        let start = loop {
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            let line = serde_json::from_str::<Value>(&line).unwrap_or_else(|_| panic!("it did not start: {line}"));
            if line["message"] == "serving /status" {
                break line;
            }
            before.push(line);
        };
        Self {
            address: start["address"].as_str().unwrap().parse().unwrap(),
            admin: start["admin"].as_str().map(|admin| admin.parse().unwrap()),
            before,
            start,
            process,
            log: Some(thread::spawn(|| read_log(lines))),
        }
    }

    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// The number of the process.
    pub fn id(&self) -> u32 {
        self.process.0.id()
    }

    /// Bytes of memory that are resident.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
    }

    /// Waits for the end; returns it with the lines of the log after the start.
    pub fn wait(mut self) -> (ExitStatus, Vec<Value>) {
        let status = self.process.0.wait().unwrap();
        (status, self.log.take().unwrap().join().unwrap())
    }

    /// Ends the service in good order and returns its log, which must tell of no failure of the host itself.
    pub fn finish(self) -> Vec<Value> {
        self.signal(Signal::SIGTERM);
        let (status, log) = self.wait();
        assert!(status.success(), "{status}: {log:?}");
        log
    }

    /// Serves on `listener`, handed over as systemd does it.
    pub fn start_on(listener: &TcpListener, arguments: &str) -> Self {
        Self::start_with(handed_over(OwnedFd::from(listener.try_clone().unwrap()), arguments))
    }

    pub fn get(&self, target: &str) -> Response {
        self.request("GET", target)
    }

    pub fn request(&self, method: &str, target: &str) -> Response {
        let host = self.address;
        self.send(format!(
            "{method} {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
        ))
    }

    pub fn send(&self, bytes: impl AsRef<[u8]>) -> Response {
        send(self.address, bytes)
    }

    pub fn connect(&self) -> TcpStream {
        connect(self.address)
    }
}

/// Reads what comes until the other side closes the connection, be it in good order or not.
pub fn read_to_close(stream: &mut TcpStream) -> Vec<u8> {
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return answer,
            Ok(read) => answer.extend_from_slice(&piece[..read]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return answer,
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&answer)),
        }
    }
}

/// A connection to `address` whose reads do not wait for ever.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends `bytes` on a connection of their own and reads until the other side closes it.
pub fn send(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Response {
    let mut stream = connect(address);
    stream.write_all(bytes.as_ref()).unwrap();
    Response::parse(&read_to_close(&mut stream))
}

/// Asks for `target` on a connection that stays open, and reads one whole response: what its content-length says.
pub fn get_on(stream: &mut TcpStream, target: &str) -> String {
    let request = format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut piece).unwrap();
        assert_ne!(read, 0, "closed after {:?}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&piece[..read]);
        if !answer.windows(4).any(|window| window == b"\r\n\r\n") {
            continue;
        }
        let response = Response::parse(&answer);
        if response.body.len() >= response.header("content-length").parse().unwrap() {
            return String::from_utf8(answer).unwrap();
        }
    }
}

/// A process that does not outlive the test that started it.
pub struct Process(pub Child);

impl Process {
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id().try_into().unwrap()), signal).unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail on a process that has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn read_log(lines: BufReader<ChildStderr>) -> Vec<Value> {
    let parse = |line: String| serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}"));
    lines.lines().map(|line| parse(line.unwrap())).collect()
}

/// A response as it came over the socket.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no response: {:?}", String::from_utf8_lossy(bytes)));
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.map(|line| line.split_once(": ").unwrap());
        Self {
            status,
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            body: bytes[end + 4..].to_vec(),
        }
    }

    /// The value of a header that must be there exactly once.
    pub fn header(&self, name: &str) -> &str {
        let values: Vec<_> = self.headers.iter().filter(|(key, _)| key == name).collect();
        assert_eq!(values.len(), 1, "{name} in {:?}", self.headers);
        &values[0].1
    }

    pub fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(key, _)| key == name)
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Checks that this is a problem in the form that RFC 9457 gives it and the contract asks for.
    pub fn assert_problem(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        self.assert_guarded();
        let problem: Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(problem["status"], status);
        assert!(!problem["title"].as_str().unwrap().is_empty());
        assert!(!problem["detail"].as_str().unwrap().is_empty());
    }

    /// Checks what every response of the contract says.
    pub fn assert_guarded(&self) {
        assert_eq!(self.header("cache-control"), "no-store");
        assert_eq!(self.header("x-content-type-options"), "nosniff");
        self.header("content-length");
    }
}

/// A byte string that is not UTF-8, as an operating system would give it.
pub fn not_utf8() -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(vec![b'1', 0xff])
}
