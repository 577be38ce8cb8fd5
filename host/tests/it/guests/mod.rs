//! Hostile guests: each failure becomes an error, and affects nobody else. Most run in this process, on the library.

mod calls;
mod composed;
mod concurrency;
mod heap;
mod memory;

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use status_host::sandbox::{self, GuestEnv, InvokeError, Limits, LoadError, LoadedComponent, Sandbox};
use tokio::runtime::{Builder, Runtime};

use crate::support::component::component;
use crate::support::{TestServer, status_host_after};

/// Limits that no test reaches, unless it sets one.
pub const LIMITS: Limits = Limits {
    timeout: Duration::from_mins(2),
    memory: 8 * 1024 * 1024,
    running: 64,
    waiting: 64,
};

/// The values of the guest environment.
pub const VARIABLES: [&str; 2] = ["1.2.3", "0123abcd"];

pub fn environment() -> GuestEnv {
    let [version, commit] = VARIABLES.map(ToOwned::to_owned);
    GuestEnv::new(version, commit)
}

/// Loads a portable component.
pub fn load_bytes(component: &[u8], limits: Limits) -> Result<LoadedComponent, LoadError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), component).unwrap();
    sandbox::load(&sandbox::engine(limits.running).unwrap(), Some(file.path()))
}

/// A sandbox for the component in `file`, or for the embedded one.
#[track_caller]
pub fn sandbox(file: Option<&Path>, limits: Limits) -> Sandbox {
    let engine = sandbox::engine(limits.running).unwrap();
    Sandbox::new(&sandbox::load(&engine, file).unwrap(), environment(), limits).unwrap()
}

/// A sandbox for a portable component.
#[track_caller]
pub fn sandbox_of(component: &[u8], limits: Limits) -> Sandbox {
    Sandbox::new(&load_bytes(component, limits).unwrap(), environment(), limits).unwrap()
}

/// A sandbox for the probe, with the thread that ends slices.
#[track_caller]
fn probe(limits: Limits) -> Sandbox {
    let probe = sandbox(Some(Path::new(probe_artifact::PATH)), limits);
    probe.spawn_epoch_thread().unwrap();
    probe
}

/// A runtime with one thread, so that a guest that does not yield blocks all others.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

async fn get(sandbox: &Sandbox, path: &str) -> Result<Response<Bytes>, InvokeError> {
    let request = Request::builder().uri(path).header("host", "a").body(Bytes::new());
    sandbox.invoke(request.unwrap()).await.result
}

/// Imports of the modules below. The result of a call that returns through memory is at 1024.
const IMPORTS: &str = r#"
    (import "wasi:http/types@0.2.12" "[static]fields.from-list" (func $from-list (param i32 i32 i32)))
    (import "wasi:http/types@0.2.12" "[constructor]fields" (func $fields (result i32)))
    (import "wasi:http/types@0.2.12" "[method]fields.delete" (func $delete (param i32 i32 i32 i32)))
    (import "wasi:http/types@0.2.12" "[constructor]outgoing-response" (func $response (param i32) (result i32)))
    (import "wasi:http/types@0.2.12" "[method]outgoing-response.body" (func $body (param i32 i32)))
    (import "wasi:http/types@0.2.12" "[method]outgoing-body.write" (func $write (param i32 i32)))
    (import "wasi:io/streams@0.2.12" "[method]output-stream.write" (func $write-bytes (param i32 i32 i32 i32)))
"#;

/// A component with these definitions, and four pages of memory.
fn hostile(definitions: &str) -> Vec<u8> {
    let memory = r#"(memory (export "memory") 4)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 2048))"#;
    component(&format!("(module {IMPORTS} {memory} {definitions})"))
}

/// A path of the probe, the kind of the failure in the metrics, and the reason in the log.
type Failure = (&'static str, &'static str, &'static str);

/// Guests that fail, however long they may run.
#[rustfmt::skip]
const FAILURES: [Failure; 12] = [
    ("/allocate", "memory", "more than 8388608 (--max-memory)"),
    ("/recurse", "trap", "call stack exhausted"),
    ("/leak", "limit", "it would hold more than 100 resources"),
    ("/trap", "trap", "wasm `unreachable` instruction executed"),
    ("/trap-after-response", "trap", "wasm `unreachable` instruction executed"),
    ("/answer-twice", "trap", "unknown handle index"),
    ("/long-call", "trap", "fuel allocated for hostcalls has been exhausted"),
    ("/gigabyte", "limit", "its response bodies would have more than 1048576 bytes"),
    ("/silent", "no_response", "returned without a response"),
    ("/error", "error", "as asked"),
    ("/long-error", "error", "xxxxxxxx"),
    ("/short-body", "invalid_response", "its body is incomplete"),
];

/// Guests that end only at their deadline.
const TIMEOUTS: [Failure; 2] = [
    ("/spin", "timeout", "did not end within 200 ms (--request-timeout)"),
    ("/answer-then-spin", "timeout", "did not end within 200 ms"),
];

/// The probe, for tests that need no particular limits: compiling it takes longer than such a test.
static PROBE: LazyLock<Sandbox> = LazyLock::new(|| probe(LIMITS));

#[track_caller]
fn assert_fails(result: &Result<Response<Bytes>, InvokeError>, (path, kind, reason): Failure) {
    let error = result.as_ref().expect_err(path);
    assert_eq!(error.kind(), Some(kind), "{path}: {error}");
    assert!(error.to_string().contains(reason), "{path}: {error}");
}

#[test]
fn failing_guest_affects_no_other() {
    runtime().block_on(async {
        for failure in FAILURES {
            let (failed, other) = tokio::join!(get(&PROBE, failure.0), get(&PROBE, "/count"));
            assert_fails(&failed, failure);
            // An instance that is used again counts to 2.
            assert_eq!(other.unwrap().body(), "1");
        }
    });
}

#[test]
fn computing_guest_reaches_its_deadline() {
    let timeout = Duration::from_millis(200);
    let probe = probe(Limits { timeout, ..LIMITS });
    for failure in TIMEOUTS {
        assert_fails(&runtime().block_on(get(&probe, failure.0)), failure);
    }
}

#[test]
fn ten_thousand_requests_share_no_instance() {
    runtime().block_on(async {
        for _ in 0..10_000 {
            assert_eq!(get(&PROBE, "/count").await.unwrap().body(), "1");
        }
    });
}

#[test]
fn guest_environment_has_two_variables() {
    let response = runtime().block_on(get(&PROBE, "/environment"));
    assert_eq!(response.unwrap().body(), "APP_VERSION=1.2.3\nCOMMIT_SHA=0123abcd\n");
}

#[test]
fn deep_recursion_with_small_stacks_of_the_host_gets_500() {
    let options = format!("--component {}", probe_artifact::PATH);
    let mut command = status_host_after("ulimit -s 256;", &options);
    let server = TestServer::spawn(command.env("RUST_MIN_STACK", "131072"));
    server.get("/recurse").assert_problem(500);
    server.get("/count").assert_is(200, "1");
}
