//! The lockdown: Landlock and seccomp.

mod attempts;

use std::fs;
use std::os::unix::process::ExitStatusExt;

use nix::sys::signal::Signal;

use crate::support::seccomp::with_failing_calls;
use crate::support::{TestServer, assert_refused, run};
use attempts::{BY_LANDLOCK, BY_SECCOMP, run_locked, run_locked_attempt};

/// The version of the kernel's Landlock; 0 if it has none.
fn landlock_version() -> i64 {
    #[expect(unsafe_code, reason = "without a ruleset the call only reports the version")]
    // SAFETY: the kernel gets no pointer.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, 0, 0, 1) };
    // The crate does not use later versions.
    version.clamp(0, 10)
}

fn is_denied(outcome: &str) -> bool {
    outcome.ends_with(": PermissionDenied")
}

#[track_caller]
fn assert_denied(outcomes: &[String]) {
    assert!(outcomes.iter().all(|outcome| is_denied(outcome)), "{outcomes:#?}");
}

#[test]
fn locked_process_is_denied_every_attempt() {
    let (output, outcomes) = run_locked("with_landlock_and_seccomp");
    assert_denied(&outcomes);
    assert_eq!(outcomes.len(), 2 * (BY_LANDLOCK.len() + BY_SECCOMP.len()), "{output:?}");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn landlock_alone_denies_files_and_ports() {
    let (output, outcomes) = run_locked("with_landlock");
    assert_eq!(outcomes.len(), BY_LANDLOCK.len(), "{output:?}");
    match landlock_version() {
        0 => assert!(!outcomes.iter().any(|outcome| is_denied(outcome)), "{outcomes:#?}"),
        // Ports, which come last, are supported since version 4.
        1..4 => assert_denied(&outcomes[..5]),
        _ => assert_denied(&outcomes),
    }
}

#[test]
fn kill_mode_denies_or_kills_every_attempt() {
    let attempts = BY_LANDLOCK.len() + BY_SECCOMP.len();
    let (mut denied, mut killed) = (0, 0);
    for number in 0..attempts {
        let (output, outcomes) = run_locked_attempt("with_kill", number);
        if outcomes.is_empty() {
            assert_eq!(output.status.signal(), Some(Signal::SIGSYS as i32), "{output:?}");
            killed += 1;
        } else {
            // Opening a file fails, whatever the flags. What the test does at its exit may kill it.
            assert_denied(&outcomes);
            denied += 1;
        }
    }
    assert_eq!((denied, killed), (7, attempts - 7));
}

#[test]
fn unlocked_process_can_do_every_attempt() {
    let (output, outcomes) = run_locked("without_lockdown");
    assert_eq!(outcomes.len(), BY_LANDLOCK.len() + BY_SECCOMP.len(), "{output:?}");
    // Nothing listens on the port, and the user who runs the tests may not be allowed to become another one.
    let exceptions = [
        "connect: ConnectionRefused",
        "Fast Open: ConnectionRefused",
        "become another user: PermissionDenied",
    ];
    let is_done = |line: &String| line.ends_with(": done") || exceptions.iter().any(|end| line.ends_with(end));
    assert!(outcomes.iter().all(is_done), "{outcomes:#?}");
}

#[test]
fn server_locks_all_its_threads() {
    let server = TestServer::start();
    let line = &server.before[0];
    match landlock_version() {
        0 => assert!(line["missing"].as_str().unwrap().starts_with("landlock: "), "{line}"),
        version => {
            assert_eq!(line["message"], "lockdown in force");
            assert!(line["landlock"] == version && line["seccomp"] == true, "{line}");
        }
    }
    let status = server.proc("status");
    assert!(
        status.contains("NoNewPrivs:\t1\n") && status.contains("Seccomp:\t2\n"),
        "{status}"
    );
    for task in fs::read_dir(format!("/proc/{}/task", server.id())).unwrap() {
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        assert!(status.contains("Seccomp:\t2\n"), "{status}");
    }
}

#[test]
fn serving_needs_no_denied_call() {
    // A denied call would kill the server.
    let server = TestServer::probe("--lockdown kill --request-timeout 200ms");
    for path in "/count /spin /allocate /recurse /trap /mebibyte /gigabyte /leak".split(' ') {
        server.get(path);
    }
    assert_eq!(server.incomplete_request().complete().status, 200);
    server.send("nonsense\r\n\r\n").assert_problem(400);
    let waiting: Vec<_> = (0..50).map(|_| server.connect()).collect();
    server.stop();
    drop(waiting);
}

#[test]
fn lockdown_can_be_disabled() {
    let server = TestServer::with_options("--lockdown off");
    assert_eq!(server.before[0]["message"], "lockdown disabled");
    assert_eq!(server.get("/status").status, 200);
}

#[test]
fn incomplete_lockdown_is_logged_or_refused() {
    for (call, part) in [
        (libc::SYS_landlock_create_ruleset, "landlock: "),
        (libc::SYS_seccomp, "seccomp: "),
    ] {
        let server = with_failing_calls(&[call], libc::ENOSYS, TestServer::start);
        let line = &server.before[0];
        assert_eq!(line["message"], "lockdown incomplete");
        assert_eq!(line["severity"], "WARNING");
        assert!(line["missing"].as_str().unwrap().starts_with(part), "{line}");
        assert_eq!(server.get("/status").status, 200);
        server.stop();
        let options = ["--listen", "127.0.0.1:0", "--lockdown", "require"];
        let output = with_failing_calls(&[call], libc::ENOSYS, || run(&options, &[]));
        assert_refused(&output, 1, &["cannot lock down the process", part]);
    }
}
