//! One call without a socket: the native handler, the sandbox, and the sandbox with the stock host functions.
//!
//! All run in every round of one process. Fails if the sandbox is not clearly faster than with the stock host
//! functions.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark fails by panicking, and prints its results"
)]

mod stock;

use std::hint::black_box;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use status_component::status::{self, Method};
use status_host::sandbox::{self, GuestEnv, Limits, MachineCode, Sandbox};
use tokio::runtime::{Builder, Runtime};

use crate::stock::Stock;

const ROUNDS: usize = 30;
const CALLS: u32 = 1_000;

/// The time of a call, against the stock host functions.
const MAX_RATIO: f64 = 0.85;

const VARIABLES: [(&str, &str); 2] = [
    ("APP_VERSION", "0.0.1"),
    ("COMMIT_SHA", "0123456789abcdef0123456789abcdef01234567"),
];

const LIMITS: Limits = Limits {
    timeout: Duration::from_mins(1),
    memory: 8 * 1024 * 1024,
};

fn main() -> ExitCode {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    let (sandbox, stock) = (sandbox(), stock());
    let variables = VARIABLES.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut samples: [Vec<Duration>; 3] = Default::default();
    for _ in 0..ROUNDS {
        let [native, own, other] = &mut samples;
        native.push(time(&runtime, async || {
            black_box(status::respond(Method::Get, Some(black_box("/status")), &variables));
        }));
        own.push(time(&runtime, async || {
            sandbox.invoke(request()).await.result.expect("a response");
        }));
        other.push(time(&runtime, async || stock.invoke(request()).await));
    }
    let [native, own, other] = samples.map(fastest);
    let ratio = own / other;
    println!("native handler              {native:6.2} µs");
    println!("sandbox                     {own:6.2} µs");
    println!("with stock host functions   {other:6.2} µs");
    println!("sandbox / stock             {ratio:6.2}, at most {MAX_RATIO}");
    if ratio <= MAX_RATIO {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The time of one call.
fn time(runtime: &Runtime, mut call: impl AsyncFnMut()) -> Duration {
    runtime.block_on(async {
        let start = Instant::now();
        for _ in 0..CALLS {
            call().await;
        }
        start.elapsed() / CALLS
    })
}

/// The fastest round, which other work on the machine disturbed least, in microseconds.
fn fastest(samples: Vec<Duration>) -> f64 {
    let fastest = samples.into_iter().min().unwrap_or_default();
    fastest.as_secs_f64() * 1e6
}

fn sandbox() -> Sandbox {
    let engine = sandbox::engine(1).expect("an engine");
    let component = sandbox::load(&engine, None, MachineCode::Denied).expect("the embedded component");
    let [(_, version), (_, commit)] = VARIABLES;
    let env = GuestEnv::new(version.to_owned(), commit.to_owned());
    let sandbox = Sandbox::new(&component, env, LIMITS).expect("a sandbox");
    sandbox.spawn_epoch_thread().expect("the epoch thread");
    sandbox
}

/// The same component, compiled with the same settings.
fn stock() -> Stock {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/component.wasm");
    Stock::new(&sandbox::engine(1).expect("an engine"), &file)
}

fn request() -> Request<Bytes> {
    let request = Request::get("/status").header("host", "127.0.0.1:5000");
    request.body(Bytes::new()).expect("a request")
}
