//! A component of the world `status` for the host's tests. Each path shows a different behaviour, good or bad.

#![cfg(target_family = "wasm")]
#![expect(
    clippy::indexing_slicing,
    clippy::infinite_loop,
    clippy::mem_forget,
    clippy::panic,
    clippy::unwrap_used,
    reason = "this component fails on purpose"
)]

mod script;

use std::iter;
use std::sync::atomic::{AtomicU32, Ordering};

use bindings::exports::wasi::http::incoming_handler::Guest;
use bindings::wasi::cli::environment::{get_arguments, get_environment, initial_cwd};
use bindings::wasi::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

#[expect(unsafe_code, reason = "values cross the component boundary as raw memory")]
#[allow(clippy::all, clippy::pedantic, reason = "generated code")]
mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        world: "status",
        generate_all,
    });

    export!(Probe);
    use super::Probe;
}

struct Probe;

/// The number of requests to this instance.
static REQUESTS: AtomicU32 = AtomicU32::new(0);

impl Guest for Probe {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        const CHUNK: [u8; 4096] = [b'x'; 4096];
        const KIBIBYTE: usize = 1024;
        let target = request.path_with_query().unwrap_or_default();
        match target.as_str() {
            "/environment" => {
                let environment = (get_environment(), get_arguments(), initial_cwd());
                respond(out, format!("{environment:?}").as_bytes());
            }
            "/count" => {
                let count = REQUESTS.fetch_add(1, Ordering::Relaxed) + 1;
                respond(out, count.to_string().as_bytes());
            }
            "/trap" => panic!("requested by the test"),
            "/trap-after-response" => {
                respond(out, b"must not reach the client");
                panic!("requested by the test")
            }
            "/spin" => spin(),
            "/answer-then-spin" => {
                respond(out, b"must not reach the client");
                spin()
            }
            "/allocate" => allocate_without_end(),
            "/recurse" => respond(out, recurse(1).to_string().as_bytes()),
            "/leak" => loop {
                std::mem::forget(Fields::new());
            },
            "/long-call" => {
                let value = vec![b'x'; 2 * KIBIBYTE * KIBIBYTE];
                let _ = Fields::from_list(&[("a".to_owned(), value)]);
            }
            "/mebibyte" => respond_in_chunks(out, iter::repeat_n(&CHUNK[..], KIBIBYTE / 4)),
            "/gigabyte" => respond_in_chunks(out, iter::repeat_n(&CHUNK[..], KIBIBYTE * KIBIBYTE / 4)),
            target => match target.strip_prefix("/script/") {
                Some(script) => script::run(script, request, out),
                None => respond(out, target.as_bytes()),
            },
        }
    }
}

fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

/// Writes to each allocation, so that it is resident.
fn allocate_without_end() -> ! {
    let mut allocations = Vec::new();
    loop {
        allocations.push(std::hint::black_box(vec![1_u8; 64 * 1024]));
    }
}

fn recurse(depth: u64) -> u64 {
    if depth == 0 {
        return 0;
    }
    std::hint::black_box(recurse(std::hint::black_box(depth + 1))) + 1
}

fn respond(out: ResponseOutparam, content: &[u8]) {
    respond_in_chunks(out, content.chunks(4096));
}

fn respond_in_chunks<'a>(out: ResponseOutparam, mut chunks: impl Iterator<Item = &'a [u8]>) {
    let response = OutgoingResponse::new(Fields::new());
    let body = response.body().unwrap();
    ResponseOutparam::set(out, Ok(response));
    let stream = body.write().unwrap();
    chunks
        .try_for_each(|chunk| stream.blocking_write_and_flush(chunk))
        .unwrap();
    drop(stream);
    OutgoingBody::finish(body, None).unwrap();
}
