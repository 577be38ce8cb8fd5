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

use std::sync::atomic::{AtomicU32, Ordering};

use bindings::exports::wasi::http::incoming_handler::Guest;
use bindings::wasi::cli::environment::{get_arguments, get_environment, initial_cwd};
use bindings::wasi::http::types::{
    ErrorCode, Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

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
        let target = request.path_with_query().unwrap_or_default();
        match target.as_str() {
            "/environment" => respond(out, &[], &environment()),
            "/count" => respond(out, &[], &(REQUESTS.fetch_add(1, Ordering::Relaxed) + 1).to_string()),
            "/trap" => panic!("requested by the test"),
            "/trap-after-response" => {
                respond(out, &[], "must not reach the client");
                panic!("requested by the test")
            }
            "/spin" => spin(),
            "/answer-then-spin" => {
                respond(out, &[], "must not reach the client");
                spin()
            }
            "/answer-twice" => set_response_twice(out),
            "/allocate" => allocate_without_end(),
            "/recurse" => respond(out, &[], &recurse(1).to_string()),
            "/leak" => loop {
                std::mem::forget(Fields::new());
            },
            "/gigabyte" => gigabyte(out),
            "/long-call" => {
                let _ = Fields::from_list(&[("a".to_owned(), vec![b'x'; 2 * 1024 * 1024 + 1])]);
            }
            "/silent" => drop(out),
            "/error" => ResponseOutparam::set(out, Err(ErrorCode::InternalError(Some("as asked".to_owned())))),
            "/long-error" => {
                let message = "x".repeat(100 * 1024);
                ResponseOutparam::set(out, Err(ErrorCode::InternalError(Some(message))));
            }
            "/short-body" => drop(start_response(out, &[("content-length", "8")], "half")),
            "/mebibyte" => respond(out, &[], &"x".repeat(1024 * 1024)),
            target => match target.strip_prefix("/script/") {
                Some(script) => script::run(script, request, out),
                None => respond(out, &[], target),
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

fn set_response_twice(out: ResponseOutparam) {
    let handle = out.handle();
    ResponseOutparam::set(out, Ok(head(&[])));
    #[expect(unsafe_code, reason = "the host must detect the second use of a handle")]
    // SAFETY: the host looks up every handle, and traps on this one.
    let again = unsafe { ResponseOutparam::from_handle(handle) };
    ResponseOutparam::set(again, Ok(head(&[])));
}

/// Keeps writing after the host reports an error.
fn gigabyte(out: ResponseOutparam) {
    let head = head(&[]);
    let body = head.body().unwrap();
    ResponseOutparam::set(out, Ok(head));
    let stream = body.write().unwrap();
    for _ in 0..1024 * 1024 * 1024 / 4096 {
        let _ = stream.blocking_write_and_flush(&[b'x'; 4096]);
    }
}

fn environment() -> String {
    let variables = get_environment()
        .into_iter()
        .map(|(name, value)| format!("{name}={value}\n"));
    let arguments = get_arguments()
        .into_iter()
        .map(|argument| format!("argument {argument}\n"));
    let directory = initial_cwd()
        .into_iter()
        .map(|directory| format!("directory {directory}\n"));
    variables.chain(arguments).chain(directory).collect()
}

fn head(headers: &[(&str, &str)]) -> OutgoingResponse {
    let header = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
    let headers: Vec<_> = headers.iter().map(header).collect();
    OutgoingResponse::new(Fields::from_list(&headers).unwrap())
}

/// Sets the response and writes `content` until the host reports an error.
fn start_response(out: ResponseOutparam, headers: &[(&str, &str)], content: &str) -> OutgoingBody {
    let head = head(headers);
    let body = head.body().unwrap();
    ResponseOutparam::set(out, Ok(head));
    let stream = body.write().unwrap();
    for chunk in content.as_bytes().chunks(4096) {
        if stream.blocking_write_and_flush(chunk).is_err() {
            break;
        }
    }
    drop(stream);
    body
}

fn respond(out: ResponseOutparam, headers: &[(&str, &str)], content: &str) {
    // Fails if the host has closed the body, which some paths provoke.
    let _ = OutgoingBody::finish(start_response(out, headers, content), None);
}
