//! Hostile guests: each is answered for, and costs nobody else anything.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use support::Service;
use support::module::{HANDLE, component};

/// What a guest does, the status that tells of it, the kind of failure that is counted, and what the log says was the
/// reason.
#[rustfmt::skip]
const FAILURES: [(&str, u16, &str, &str); 26] = [
    ("/spin", 504, "timeout", "did not end within 200 ms (--request-timeout)"),
    ("/answer-then-spin", 504, "timeout", "did not end within 200 ms"),
    ("/allocate", 500, "memory", "of which 4194304 are allowed (--max-memory)"),
    ("/recurse", 500, "trap", "call stack exhausted"),
    ("/leak", 500, "limit", "it holds 1000 resources"),
    ("/trap", 500, "trap", "wasm `unreachable` instruction executed"),
    ("/trap-after-response", 500, "trap", "wasm `unreachable` instruction executed"),
    ("/answer-twice", 500, "trap", "unknown handle index"),
    ("/long-write", 500, "trap", "Buffer too large for blocking-write-and-flush"),
    ("/long-call", 500, "trap", "fuel allocated for hostcalls has been exhausted"),
    ("/ten-thousand-headers", 500, "trap", "total size of fields exceeds limit"),
    ("/hundred-and-one-headers", 502, "invalid_response", "it has more than 100 headers"),
    ("/silent", 502, "no_response", "returned without a response"),
    ("/error", 502, "error", "as asked"),
    ("/long-error", 502, "error", "xxxxxxxx"),
    ("/early-hints", 502, "invalid_response", "its status is not a final one"),
    ("/status-600", 502, "invalid_response", "its status is not a final one"),
    ("/unfinished-body", 502, "invalid_response", "its body was not finished"),
    ("/dropped-body", 502, "invalid_response", "its body was cut short"),
    ("/short-body", 502, "invalid_response", "its body was cut short"),
    ("/lying-length", 502, "invalid_response", "its body was not finished"),
    ("/no-body-but-length", 502, "invalid_response", "its body is not of the length that it promises"),
    ("/over-a-mebibyte", 502, "invalid_response", "more than 1048576 bytes"),
    ("/gigabyte", 502, "invalid_response", "more than 1048576 bytes"),
    ("/over-a-mebibyte", 502, "invalid_response", "more than 1048576 bytes"),
    ("/spin", 504, "timeout", "did not end within 200 ms"),
];

/// Enough memory for what some of them do before they fail, and not much time.
const OPTIONS: [&str; 4] = ["--max-memory", "4MiB", "--request-timeout", "200ms"];

/// Held by each test: guests that loop take the time of those that have little.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn a_failing_guest_is_answered_for() {
    let _alone = ALONE.lock();
    let service = Service::start_probe(&OPTIONS);
    for (path, status, ..) in FAILURES {
        service.get(path).assert_problem(status);
        assert_eq!(service.get("/count").text(), "1", "after {path}");
    }
    let metrics = service.metrics();
    for (.., kind, _) in FAILURES {
        let failures = FAILURES.iter().filter(|(.., other, _)| *other == kind).count();
        let series = format!("status_host_guest_failures_total{{kind=\"{kind}\"}}");
        assert_eq!(metrics.count(&series), failures as u64, "{kind}");
    }
    let log = service.finish();
    let told: Vec<_> = log.iter().filter(|line| line["severity"] == "ERROR").collect();
    assert_eq!(told.len(), FAILURES.len(), "{told:?}");
    for ((path, .., reason), line) in FAILURES.iter().zip(told) {
        let failure = line["failure"].as_str().unwrap();
        assert!(failure.contains(reason) && !failure.contains('\n'), "{path}: {failure}");
        assert!(failure.len() <= 1024, "{path}: {} bytes are told", failure.len());
    }
}

#[test]
fn a_failing_guest_costs_its_neighbours_nothing() {
    let _alone = ALONE.lock();
    let service = Service::start_probe(&["--max-memory", "4MiB", "--request-timeout", "5s"]);
    let (address, over) = (service.address, AtomicBool::new(false));
    thread::scope(|scope| {
        let neighbours: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut stream = support::connect(address);
                    let mut answers = 0;
                    while !over.load(Ordering::Relaxed) {
                        let answer = support::get_on(&mut stream, "/count");
                        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with('1'), "{answer}");
                        answers += 1;
                    }
                    answers
                })
            })
            .collect();
        let hostile: Vec<_> = FAILURES
            .iter()
            .map(|(path, status, ..)| scope.spawn(|| service.get(path).assert_problem(*status)))
            .collect();
        let answered: Vec<_> = hostile.into_iter().map(thread::ScopedJoinHandle::join).collect();
        over.store(true, Ordering::Relaxed);
        assert!(answered.iter().all(Result::is_ok));
        for neighbour in neighbours {
            assert!(neighbour.join().unwrap() > 0);
        }
    });
    service.finish();
}

#[test]
fn the_memory_of_a_failing_guest_is_given_back() {
    /// What an allocator may keep for later.
    const SLACK: u64 = 4 * 1024 * 1024;
    let _alone = ALONE.lock();
    let service = Service::start_probe(&["--max-memory", "4MiB", "--request-timeout", "20ms"]);
    let round = || {
        for (path, ..) in FAILURES {
            service.get(path);
        }
    };
    (0..10).for_each(|_| round());
    let before = service.resident();
    for _ in 0..10 {
        round();
    }
    let after = service.resident();
    assert!(after < before + SLACK, "{before} bytes before, {after} after");
    service.finish();
}

#[test]
fn a_forbidden_header_is_not_let_through() {
    let _alone = ALONE.lock();
    let service = Service::start_probe(&[]);
    let response = service.get("/forbidden-headers");
    assert_eq!((response.status, response.text()), (200, "0 false"));
    service.finish();
}

#[test]
fn a_request_for_which_no_instance_is_free_is_refused() {
    let _alone = ALONE.lock();
    let service = Service::start_probe(&["--max-concurrency", "2", "--request-timeout", "5s"]);
    let address = service.address;
    let request = b"GET /spin HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let busy: Vec<_> = (0..2)
        .map(|_| thread::spawn(move || support::send(address, request)))
        .collect();
    // They have to be first.
    thread::sleep(Duration::from_millis(500));
    let refused = loop {
        let response = service.get("/count");
        if response.status != 200 {
            break response;
        }
        assert!(!busy.iter().any(thread::JoinHandle::is_finished), "none was refused");
    };
    refused.assert_problem(503);
    assert_eq!(refused.header("retry-after"), "1");
    for guest in busy {
        guest.join().unwrap().assert_problem(504);
    }
    assert_eq!(service.get("/count").text(), "1");
    let log = service.finish();
    let reason = log[0]["failure"].as_str().unwrap();
    assert!(
        reason.starts_with("no instance is free") && log[0]["severity"] == "WARNING",
        "{log:?}"
    );
}

#[test]
fn guests_that_loop_do_not_stop_the_service() {
    let _alone = ALONE.lock();
    let service = Service::start_probe(&["--request-timeout", "3s"]);
    let address = service.address;
    let loops: Vec<_> = (0..16)
        .map(|_| {
            thread::spawn(move || support::send(address, "GET /spin HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"))
        })
        .collect();
    thread::sleep(Duration::from_millis(200));
    // All threads of the service compute. A request that had to wait for one would come too late for its own limit.
    assert_eq!(service.get("/count").text(), "1");
    assert!(loops.iter().all(|guest| !guest.is_finished()));
    for guest in loops {
        guest.join().unwrap().assert_problem(504);
    }
    service.finish();
}

#[test]
fn a_guest_that_grows_its_table_is_stopped() {
    let _alone = ALONE.lock();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("table.wasm");
    let module = format!(
        "(module
            (memory (export \"memory\") 1)
            (table 1 funcref)
            ({HANDLE} (loop (br_if 0 (i32.ge_s (table.grow (ref.null func) (i32.const 100)) (i32.const 0))))))"
    );
    fs::write(&file, component(&module)).unwrap();
    let service = Service::start_with_options(&["--component", file.to_str().unwrap()]);
    service.get("/").assert_problem(500);
    let log = service.finish();
    let reason = log[0]["failure"].as_str().unwrap();
    assert!(reason.contains("a table would grow to 10001 elements"), "{reason}");
}

#[test]
fn a_component_that_cannot_be_started_is_refused() {
    let _alone = ALONE.lock();
    let modules = [
        (
            "(memory (export \"memory\") 65)",
            "its memory would grow to 4259840 bytes, of which 4194304 are allowed (--max-memory)",
        ),
        (
            "(memory (export \"memory\") 1) (table 10001 funcref)",
            "a table would grow to 10001 elements",
        ),
        (
            "(memory (export \"memory\") 1) (func $start (loop (br 0))) (start $start)",
            "did not end within 200 ms",
        ),
        (
            "(memory (export \"memory\") 1) (func $start unreachable) (start $start)",
            "wasm `unreachable` instruction executed",
        ),
    ];
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("start.wasm");
    for (module, reason) in modules {
        fs::write(&file, component(&format!("(module {module} ({HANDLE}))"))).unwrap();
        let options = [&["--component", file.to_str().unwrap()], &OPTIONS[..]].concat();
        let output = support::run(&[&options[..], &["--listen", "127.0.0.1:0"]].concat(), &[]);
        support::assert_refused(&output, 2, &["no instance of the component", "start.wasm", reason]);
    }
}
