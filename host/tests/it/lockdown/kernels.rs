//! Kernels that lack a part of the lockdown.

use std::env::consts::ARCH;
use std::thread;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

use crate::support::{TestServer, assert_refused, run};

/// Runs `work` on a kernel that lacks `calls`.
fn without_calls<T: Send>(calls: &[libc::c_long], work: impl FnOnce() -> T + Send) -> T {
    let rules = calls.iter().map(|call| (*call, Vec::new())).collect();
    let missing = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, missing, ARCH.try_into().unwrap()).unwrap();
    let filter: BpfProgram = filter.try_into().unwrap();
    // A filter applies to its thread, and to the processes that the thread starts.
    let on_thread = || {
        seccompiler::apply_filter(&filter).unwrap();
        work()
    };
    thread::scope(|scope| scope.spawn(on_thread).join().unwrap())
}

#[test]
fn incomplete_lockdown_is_logged_or_refused() {
    let cases: [(&[libc::c_long], &str); 2] = [
        (&[libc::SYS_landlock_create_ruleset], "landlock: "),
        (&[libc::SYS_seccomp], "seccomp: "),
    ];
    for (calls, part) in cases {
        let server = without_calls(calls, TestServer::start);
        let line = &server.before[0];
        assert_eq!(line["message"], "locked down in part");
        assert_eq!(line["severity"], "WARNING");
        assert!(line["missing"].as_str().unwrap().starts_with(part), "{line}");
        assert_eq!(server.get("/status").status, 200);
        server.stop();
        let options = ["--listen", "127.0.0.1:0", "--lockdown", "require"];
        let output = without_calls(calls, || run(&options, &[]));
        assert_refused(&output, 1, &["cannot lock the process down", part]);
    }
}
