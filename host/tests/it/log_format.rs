//! The format of the log: text on a terminal, else JSON, unless an option selects one.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::{Process, TestServer, assert_refused, run, status_host};

/// Starts `command` and reads its log up to the start, as text.
#[track_caller]
fn assert_text(command: &mut Command, log: impl FnOnce(&mut Process) -> Box<dyn Read>) {
    let mut process = Process::spawn(command.args(["--listen", "127.0.0.1:0"]));
    let mut lines = BufReader::new(log(&mut process)).lines().map(Result::unwrap);
    let start = lines
        .by_ref()
        .inspect(|line| assert!(!line.starts_with('{'), "{line}"))
        .find(|line| line.contains("serving"));
    assert!(start.is_some());
    process.signal(Signal::SIGTERM);
    assert!(process.wait().success());
}

#[test]
fn log_on_a_terminal_is_text() {
    // Opened so that no process that another test starts inherits it.
    let terminal = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let slave = fs::File::options()
        .write(true)
        .custom_flags(OFlag::O_NOCTTY.bits())
        .open(ptsname_r(&terminal).unwrap())
        .unwrap();
    let master = File::from(std::os::fd::OwnedFd::from(terminal));
    assert_text(status_host().stderr(slave), |_| Box::new(master));
}

#[test]
fn log_format_can_be_text() {
    let mut command = status_host();
    command.args(["--log-format", "text"]).stderr(Stdio::piped());
    assert_text(&mut command, |process| Box::new(process.0.stderr.take().unwrap()));
}

#[test]
fn log_format_can_be_json() {
    // `TestServer` parses the log.
    TestServer::with_options("--log-format json").stop();
}

#[test]
fn failed_start_is_an_event_in_json() {
    let json = [("LOG_FORMAT", OsStr::new("json"))];
    for (arguments, variables, message) in [
        (&["--max-body=x"][..], &json[..], "invalid value 'x' for '--max-body"),
        (&["--log-format", "json", "--listen=x"], &[], "invalid address `x`"),
        (&["--listen=x\n", "--log-format=json"], &[], "invalid address `x\n`"),
        (&["nonsense"], &json, "nonsense"),
    ] {
        let output = run(arguments, variables);
        assert_eq!((output.status.code(), &output.stdout[..]), (Some(2), &b""[..]));
        let event: Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(event["severity"], "ERROR");
        assert!(event["message"].as_str().unwrap().contains(message), "{event}");
        assert!(event["time"].as_str().unwrap().ends_with('Z'), "{event}");
        assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 1);
    }
}

#[test]
fn failed_start_is_text_without_json() {
    let json = [("LOG_FORMAT", OsStr::new("json"))];
    assert_refused(
        &run(&["--listen=x", "--log-format", "text"], &json),
        2,
        &["invalid address"],
    );
    assert_refused(&run(&["--log-format"], &json), 2, &["--log-format"]);
    assert_refused(
        &run(&["--listen=x", "--log-formatjson"], &json),
        2,
        &["--log-formatjson"],
    );
    // Not a log.
    assert_refused(&run(&["inspect", "--component=x"], &json), 2, &["`x`"]);
}
