//! Hostile guests: each failure becomes an error, and affects nobody else. Most run in this process, on the library.

mod calls;
mod composed;
mod concurrency;
mod heap;
mod memory;

use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use status_host::sandbox::{self, GuestEnv, Invocation, InvokeError, Limits, LoadError, LoadedComponent, Sandbox};
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

/// A sandbox for a portable component.
#[track_caller]
pub fn sandbox_of(component: &[u8], limits: Limits) -> Sandbox {
    Sandbox::new(&load_bytes(component, limits).unwrap(), environment(), limits).unwrap()
}

/// A sandbox for the probe, with the thread that ends slices.
#[track_caller]
fn probe(limits: Limits) -> Sandbox {
    let probe = sandbox_of(&std::fs::read(probe_artifact::PATH).unwrap(), limits);
    probe.spawn_epoch_thread().unwrap();
    probe
}

/// A runtime with one thread, so that a guest that does not yield blocks all others.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

async fn invoke(sandbox: &Sandbox, path: &str) -> Invocation {
    let request = Request::builder().uri(path).header("host", "a").body(Bytes::new());
    sandbox.invoke(request.unwrap()).await
}

async fn get(sandbox: &Sandbox, path: &str) -> Result<Response<Bytes>, InvokeError> {
    invoke(sandbox, path).await.result
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

/// Opens `$body`, that of a response, and its `$stream`.
pub const OPEN_STREAM: &str = "
    (call $body (call $response (call $fields)) (i32.const 1024))
    (local.set $body (i32.load (i32.const 1028)))
    (call $write (local.get $body) (i32.const 1024))
    (local.set $stream (i32.load (i32.const 1028)))";

/// A component with these definitions, and four pages of memory.
pub fn hostile(definitions: &str) -> Vec<u8> {
    let memory = r#"(memory (export "memory") 4)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 2048))"#;
    component(&format!("(module {IMPORTS} {memory} {definitions})"))
}

/// The text of a component with these definitions, one of which is the core instance `$main`. It is text, since an encoder
/// inserts functions of the guest between a module and the host.
pub fn handler(definitions: &str) -> String {
    format!(
        r#"(component
            (import "wasi:http/types@0.2.12" (instance $types
                (export "incoming-request" (type (sub resource)))
                (export "response-outparam" (type (sub resource)))
                (export "fields" (type $fields (sub resource)))
                (type $error (variant (case "invalid-syntax") (case "forbidden") (case "immutable")))
                (export "header-error" (type $header-error (eq $error)))
                (export "[static]fields.from-list" (func (param "entries" (list (tuple string (list u8))))
                    (result (result (own $fields) (error $header-error)))))))
            (alias export $types "incoming-request" (type $request))
            (alias export $types "response-outparam" (type $out))
            {definitions}
            (func $handle (param "request" (own $request)) (param "response-out" (own $out))
                (canon lift (core func $main "handle")))
            (instance $handler (export "handle" (func $handle)))
            (export "wasi:http/incoming-handler@0.2.12" (instance $handler)))"#
    )
}

/// A `$main` that returns without a response.
pub const MAIN: &str = r#"
    (core module $main (func (export "handle") (param i32 i32)))
    (core instance $main (instantiate $main))"#;

/// The probe, for tests that need no particular limits: compiling it takes longer than such a test.
static PROBE: LazyLock<Sandbox> = LazyLock::new(|| probe(LIMITS));

#[test]
fn failing_guest_affects_no_other() {
    runtime().block_on(async {
        for (path, kind, reason) in [
            ("/allocate", "memory", "more than 8388608 (--max-memory)"),
            ("/recurse", "trap", "call stack exhausted"),
            ("/trap-after-response", "trap", "wasm `unreachable` instruction"),
            ("/long-call", "trap", "fuel allocated for hostcalls has been exhausted"),
        ] {
            let (failed, other) = tokio::join!(get(&PROBE, path), get(&PROBE, "/count"));
            let error = failed.expect_err(path);
            assert_eq!(error.kind(), Some(kind), "{path}: {error}");
            assert!(error.to_string().contains(reason), "{path}: {error}");
            // An instance that is used again counts to 2.
            assert_eq!(other.unwrap().body(), "1");
        }
    });
}

#[test]
fn deep_recursion_with_small_stacks_of_the_host_gets_500() {
    let options = format!("--component {}", probe_artifact::PATH);
    let mut command = status_host_after("ulimit -s 256;", &options);
    let server = TestServer::spawn(command.env("RUST_MIN_STACK", "131072"));
    server.get("/recurse").assert_problem(500);
    server.get("/count").assert_is(200, "1");
}
