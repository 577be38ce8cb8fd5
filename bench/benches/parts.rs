//! The parts of a request, without a socket: the handler alone, an instance, and a whole call of the sandbox.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::unreachable,
    reason = "a benchmark ends where it fails"
)]

use std::ffi::OsString;
use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use http::Request;
use http_body_util::Full;
use status_component::status::{self, APP_VERSION, COMMIT_SHA, Method};
use status_host::config;
use status_host::sandbox::{self, Grant, Sandbox};
use status_host::telemetry::{Exposition, Metrics};
use tokio::runtime::Builder;

const VERSION: &str = "0.0.1";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn sandbox() -> Sandbox {
    let Ok(cli) = config::parse([OsString::from("status-host")]) else {
        unreachable!("the defaults are valid")
    };
    let engine = sandbox::engine(cli.limits.max_concurrency).expect("an engine");
    let loaded = sandbox::load(&engine, None).expect("the embedded component");
    let grant = Grant::new(VERSION.to_owned(), COMMIT.to_owned());
    let metrics = Arc::new(Metrics::new(Exposition::default().add_host()));
    Sandbox::new(&loaded, grant, cli.limits.sandbox(), metrics).expect("a sandbox")
}

fn request() -> Request<Full<Bytes>> {
    let request = Request::get("/status").header("host", "127.0.0.1:5000");
    request.body(Full::default()).expect("a request")
}

fn parts(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    let variables =
        [(APP_VERSION, VERSION), (COMMIT_SHA, COMMIT)].map(|(name, value)| (name.to_owned(), value.to_owned()));
    criterion.bench_function("handler, native", |bencher| {
        bencher.iter(|| status::respond(Method::Get, Some(black_box("/status")), &variables));
    });
    let sandbox = sandbox();
    criterion.bench_function("instance", |bencher| {
        bencher.to_async(&runtime).iter(|| sandbox.start());
    });
    criterion.bench_function("call of the sandbox", |bencher| {
        bencher
            .to_async(&runtime)
            .iter(|| async { sandbox.respond(request()).await.expect("an answer") });
    });
}

criterion_group!(benches, parts);
criterion_main!(benches);
