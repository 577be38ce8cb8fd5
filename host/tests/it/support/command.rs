//! Command lines of the binary, and the environment it runs in.

use std::ffi::{OsStr, OsString};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::process::{Command, Output, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicU16, Ordering};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

pub const VERSION: &str = "1.2.3-test";
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// The binary under test: `STATUS_HOST`, or that of this build.
fn tested_binary() -> OsString {
    std::env::var_os("STATUS_HOST").unwrap_or(env!("CARGO_BIN_EXE_status-host").into())
}

/// The binary in the test environment.
pub fn status_host() -> Command {
    test_environment(Command::new(tested_binary()))
}

/// `command` in the test environment: the guest environment, and time limits that no test reaches unless it sets one.
fn test_environment(mut command: Command) -> Command {
    raise_fd_limit();
    command
        .env_clear()
        .env("APP_VERSION", VERSION)
        .env("COMMIT_SHA", COMMIT)
        .env("ADMIN", "127.0.0.1:0");
    for limit in ["REQUEST_TIMEOUT", "CLIENT_TIMEOUT", "IDLE_TIMEOUT", "DRAIN_TIMEOUT"] {
        command.env(limit, "1h");
    }
    if let Ok(profile) = std::env::var("LLVM_PROFILE_FILE") {
        // `%c` writes coverage continuously: at its end a locked process cannot open a file.
        command.env("LLVM_PROFILE_FILE", profile.replace("%p", "%p%c"));
    }
    command
}

/// The tests share one process, and some of them open thousands of connections.
fn raise_fd_limit() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    });
}

/// The binary after the shell commands `setup`.
pub fn status_host_after(setup: &str, arguments: &str) -> Command {
    let mut shell = test_environment(Command::new("/bin/sh"));
    let script = format!(r#"{setup} exec "$0" {arguments}"#);
    shell.args(["-c", &script]).arg(tested_binary());
    shell
}

/// The binary with `socket` as its inherited listening socket.
pub fn with_inherited_socket(socket: impl Into<OwnedFd>, arguments: &str) -> Command {
    let mut shell = status_host_after("LISTEN_FDS=1 LISTEN_PID=$$", &format!("{arguments} 3<&0"));
    shell.stdin(Stdio::from(socket.into()));
    shell
}

/// A loopback address that is unused, another one at each call. Its IP address is derived from the process id, so that
/// no other test process uses it; its port is below the range that the kernel assigns.
pub fn free_addr() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(10_000);
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let ip = Ipv4Addr::new(127, high, middle, low);
    SocketAddr::from((ip, NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// Runs the binary until it exits.
#[track_caller]
pub fn run(arguments: &[&str], variables: &[(&str, &OsStr)]) -> Output {
    let mut command = status_host();
    command.args(arguments).envs(variables.iter().copied());
    command.output().unwrap()
}

/// Checks that the binary refused to run: the exit code, no standard output, and one line of standard error that
/// contains each of `parts`.
#[track_caller]
pub fn assert_refused(output: &Output, code: i32, parts: &[&str]) {
    let message = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{message}");
    assert!(output.stdout.is_empty());
    assert_eq!(message.lines().count(), 1, "not one line: {message}");
    assert!(message.starts_with("status-host: "), "{message}");
    for part in parts {
        assert!(message.contains(part), "no `{part}` in: {message}");
    }
}
