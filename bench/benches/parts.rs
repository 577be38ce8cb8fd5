//! The parts of a request without a socket: the native handler, one instantiation, and one invocation.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::unreachable,
    reason = "a benchmark fails by panicking"
)]

use std::ffi::OsString;
use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use http::Request;
use status_component::status::{self, APP_VERSION, COMMIT_SHA, Method};
use status_host::cli;
use status_host::sandbox::{self, GuestEnv, Limits, MachineCode, Sandbox};
use tokio::runtime::Builder;

const VERSION: &str = "0.0.1";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn sandbox() -> Sandbox {
    let Ok(cli) = cli::parse([OsString::from("status-host")]) else {
        unreachable!("the defaults are valid")
    };
    let limits = Limits {
        timeout: cli.serve.limits.request_timeout,
        memory: cli.serve.limits.max_memory,
    };
    let engine = sandbox::engine(cli.serve.limits.max_concurrency).expect("an engine");
    let component = sandbox::load(&engine, None, MachineCode::Denied).expect("the embedded component");
    let env = GuestEnv::new(VERSION.to_owned(), COMMIT.to_owned());
    let sandbox = Sandbox::new(&component, env, limits).expect("a sandbox");
    sandbox.spawn_epoch_thread().expect("the epoch thread");
    sandbox
}

fn request() -> Request<Bytes> {
    let request = Request::get("/status").header("host", "127.0.0.1:5000");
    request.body(Bytes::new()).expect("a request")
}

fn parts(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    let variables =
        [(APP_VERSION, VERSION), (COMMIT_SHA, COMMIT)].map(|(name, value)| (name.to_owned(), value.to_owned()));
    criterion.bench_function("native handler", |bencher| {
        bencher.iter(|| status::respond(Method::Get, Some(black_box("/status")), &variables));
    });
    let sandbox = sandbox();
    criterion.bench_function("instantiation", |bencher| {
        bencher.to_async(&runtime).iter(|| sandbox.warm_up());
    });
    criterion.bench_function("invocation", |bencher| {
        bencher
            .to_async(&runtime)
            .iter(|| async { sandbox.invoke(request()).await.result.expect("a response") });
    });
}

criterion_group!(benches, parts);
criterion_main!(benches);
