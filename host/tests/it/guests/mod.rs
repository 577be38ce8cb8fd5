//! Hostile guests: each failure becomes a response, and affects nobody else.

mod composed;
mod hostile;
mod limits;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::support::wait::busy_processors;
use crate::support::{TestServer, connect, eventually, get_keep_alive};

/// A path of the probe, the status of the response, the kind of the failure in the metrics, and the reason in the log.
type Failure = (&'static str, u16, &'static str, &'static str);

/// Guests that fail, however long they may run.
#[rustfmt::skip]
const FAILURES: [Failure; 22] = [
    ("/allocate", 500, "memory", "more than 4194304 (--max-memory)"),
    ("/recurse", 500, "trap", "call stack exhausted"),
    ("/leak", 500, "limit", "it would hold more than 1000 resources"),
    ("/trap", 500, "trap", "wasm `unreachable` instruction executed"),
    ("/trap-after-response", 500, "trap", "wasm `unreachable` instruction executed"),
    ("/answer-twice", 500, "trap", "unknown handle index"),
    ("/long-write", 500, "trap", "a write of 4097 bytes, where 4096 are permitted"),
    ("/long-call", 500, "trap", "fuel allocated for hostcalls has been exhausted"),
    ("/thousand-headers", 500, "limit", "a list of headers would have more than 131072 bytes"),
    ("/hundred-and-one-headers", 502, "invalid_response", "it has more than 100 headers"),
    ("/silent", 502, "no_response", "returned without a response"),
    ("/error", 502, "error", "as asked"),
    ("/long-error", 502, "error", "xxxxxxxx"),
    ("/early-hints", 502, "invalid_response", "its status is not final"),
    ("/status-600", 502, "invalid_response", "its status is not final"),
    ("/unfinished-body", 502, "invalid_response", "its body was not finished"),
    ("/dropped-body", 502, "invalid_response", "its body is incomplete"),
    ("/short-body", 502, "invalid_response", "its body is incomplete"),
    ("/lying-length", 502, "invalid_response", "its body was not finished"),
    ("/no-body-but-length", 502, "invalid_response", "its content-length is wrong"),
    ("/over-a-mebibyte", 502, "invalid_response", "larger than 1048576 bytes"),
    ("/gigabyte", 502, "invalid_response", "larger than 1048576 bytes"),
];

/// Guests that reach a request timeout of 200 ms.
#[rustfmt::skip]
const TIMEOUTS: [Failure; 2] = [
    ("/spin", 504, "timeout", "did not end within 200 ms (--request-timeout)"),
    ("/answer-then-spin", 504, "timeout", "did not end within 200 ms"),
];

const MAX_MEMORY: &str = "--max-memory 4MiB";

/// Checks how `server` responds to each failure, counts it and logs it.
#[track_caller]
fn assert_failures(server: TestServer, failures: &[Failure], after_each: impl Fn(&TestServer)) {
    for (path, status, ..) in failures {
        server.get(path).assert_problem(*status);
        after_each(&server);
    }
    let metrics = server.metrics();
    for (.., kind, _) in failures {
        let count = failures.iter().filter(|(.., other, _)| other == kind).count();
        let series = format!("status_host_guest_failures_total{{kind=\"{kind}\"}}");
        assert_eq!(metrics.count(&series), count as u64, "{kind}");
    }
    let log = server.stop();
    let errors: Vec<_> = log.iter().filter(|line| line["severity"] == "ERROR").collect();
    assert_eq!(errors.len(), failures.len(), "{errors:?}");
    for ((path, .., reason), line) in failures.iter().zip(errors) {
        let error = line["error"].as_str().unwrap();
        assert!(error.contains(reason) && !error.contains('\n'), "{path}: {error}");
        assert!(error.len() <= 1024, "{path}: {} bytes", error.len());
    }
}

#[test]
fn failing_guest_gets_an_error_response() {
    assert_failures(TestServer::probe(MAX_MEMORY), &FAILURES, |server| {
        server.get("/count").assert_is(200, "1");
    });
}

#[test]
fn computing_guest_reaches_the_request_timeout() {
    let _busy = busy_processors();
    // With one instance, the second guest runs only if the first has been stopped.
    let server = TestServer::probe("--max-concurrency 1 --request-timeout 200ms");
    assert_failures(server, &TIMEOUTS, |_| ());
}

#[test]
fn failing_guest_does_not_affect_others() {
    let server = TestServer::probe(MAX_MEMORY);
    let (address, done) = (server.address, AtomicBool::new(false));
    let neighbour = || {
        let mut stream = connect(address);
        loop {
            get_keep_alive(&mut stream, "/count").assert_is(200, "1");
            if done.load(Ordering::Relaxed) {
                return;
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(neighbour);
        }
        let failing = FAILURES
            .iter()
            .map(|(path, status, ..)| scope.spawn(|| server.get(path).assert_problem(*status)));
        let failing: Vec<_> = failing.collect();
        let responses: Vec<_> = failing.into_iter().map(thread::ScopedJoinHandle::join).collect();
        done.store(true, Ordering::Relaxed);
        assert!(responses.iter().all(Result::is_ok));
    });
}

#[test]
fn memory_of_failed_guests_is_released() {
    /// Memory that an allocator may keep, in bytes.
    const SLACK: u64 = 1024 * 1024;
    let _busy = busy_processors();
    let server = TestServer::probe("--max-memory 4MiB --request-timeout 200ms");
    let run_all = || {
        for (path, ..) in FAILURES.iter().chain(&TIMEOUTS) {
            server.get(path);
        }
    };
    eventually("resident memory stops growing", || {
        let before = server.resident_bytes();
        (0..3).for_each(|_| run_all());
        (server.resident_bytes() < before + SLACK).then_some(())
    });
}

#[test]
fn forbidden_headers_are_rejected() {
    let server = TestServer::probe("");
    server.get("/forbidden-headers").assert_is(200, "0 false");
}
