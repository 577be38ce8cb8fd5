//! The lockdown of a server: Landlock and seccomp. What it denies is tested beside its code.

use crate::support::seccomp::with_failing_call;
use crate::support::{TestServer, assert_refused, finish, run};

#[test]
fn server_locks_all_its_threads() {
    let server = TestServer::start();
    let line = &server.before[0];
    // The kernel may have no Landlock.
    let lacks_landlock = line["missing"]
        .as_str()
        .is_some_and(|missing| missing.starts_with("landlock: "));
    let is_complete = line["message"] == "lockdown in force" && line["seccomp"] == true;
    assert!(is_complete || lacks_landlock, "{line}");
    for status in server.thread_status() {
        assert!(
            status.contains("NoNewPrivs:\t1\n") && status.contains("Seccomp:\t2\n"),
            "{status}"
        );
    }
}

#[test]
fn serving_needs_no_denied_call() {
    // A denied call would kill the server.
    let server = TestServer::probe("--lockdown kill --request-timeout 200ms");
    for path in "/count /spin /allocate /recurse /trap /mebibyte /gigabyte /leak".split(' ') {
        server.get(path);
    }
    assert_eq!(finish(server.incomplete_request(), "!").status, 200);
    assert_eq!(server.send("nonsense\r\n\r\n").status, 400);
    assert_eq!(server.admin_get("/metrics").status, 200);
    server.stop();
}

#[test]
fn incomplete_lockdown_is_logged_or_refused() {
    for (call, part) in [
        (libc::SYS_landlock_create_ruleset, "landlock: "),
        (libc::SYS_seccomp, "seccomp: "),
    ] {
        let server = with_failing_call(call, libc::ENOSYS, TestServer::start);
        let line = &server.before[0];
        assert_eq!(
            (&line["message"], &line["severity"]),
            (&"lockdown incomplete".into(), &"WARNING".into())
        );
        assert!(line["missing"].as_str().unwrap().starts_with(part), "{line}");
        assert_eq!(server.get("/status").status, 200);
        let options = ["--listen", "127.0.0.1:0", "--lockdown", "require"];
        let output = with_failing_call(call, libc::ENOSYS, || run(&options, &[]));
        assert_refused(&output, 1, &["cannot lock down the process", part]);
    }
}
