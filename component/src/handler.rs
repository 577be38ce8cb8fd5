//! Carries a request from `wasi:http` to [`status`] and its response back.

use crate::bindings::exports::wasi::http::incoming_handler::Guest;
use crate::bindings::wasi::http::types::{
    ErrorCode, Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use crate::bindings::wasi::io::streams::StreamError;
use crate::status::{self, Response};
use crate::variables::variables;

/// The most that one `blocking-write-and-flush` takes (WASI 0.2, `wasi:io/streams`).
const WRITE_LIMIT: usize = 4096;

/// The status that a response has unless it is set (WASI 0.2, `wasi:http/types`).
const OK: u16 = 200;

/// What the world exports.
pub(crate) struct Handler;

impl Guest for Handler {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let method = match request.method() {
            Method::Get => status::Method::Get,
            Method::Head => status::Method::Head,
            _ => status::Method::Other,
        };
        let target = request.path_with_query();
        let response = status::respond(method, target.as_deref(), &variables());
        match open(&response) {
            Ok((head, body)) => {
                ResponseOutparam::set(out, Ok(head));
                if let Some(body) = body {
                    // What was promised in content-length and not sent tells the host that this failed.
                    let _ = send(body, &response.body);
                }
            }
            Err(error) => ResponseOutparam::set(out, Err(error)),
        }
    }
}

/// The head, and the body to write if there is content.
fn open(response: &Response) -> Result<(OutgoingResponse, Option<OutgoingBody>), ErrorCode> {
    let headers: Vec<_> = response
        .headers
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()))
        .collect();
    let headers = Fields::from_list(&headers).map_err(internal)?;
    let head = OutgoingResponse::new(headers);
    if response.status != OK {
        head.set_status_code(response.status).map_err(internal)?;
    }
    let body = if response.body.is_empty() {
        None
    } else {
        Some(head.body().map_err(|()| internal("body"))?)
    };
    Ok((head, body))
}

fn send(body: OutgoingBody, content: &[u8]) -> Result<(), StreamError> {
    let stream = body.write().map_err(|()| StreamError::Closed)?;
    for piece in content.chunks(WRITE_LIMIT) {
        stream.blocking_write_and_flush(piece)?;
    }
    // The stream is a child of the body and has to go first.
    drop(stream);
    OutgoingBody::finish(body, None).map_err(|_| StreamError::Closed)
}

fn internal(error: impl core::fmt::Debug) -> ErrorCode {
    ErrorCode::InternalError(Some(format!("the response was refused: {error:?}")))
}
