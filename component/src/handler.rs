//! The `wasi:http` handler: converts a request for [`status`], and its response for the host.

use crate::bindings::exports::wasi::http::incoming_handler::Guest;
use crate::bindings::wasi::http::types::{
    ErrorCode, Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use crate::bindings::wasi::io::streams::StreamError;
use crate::status::{self, Response};
use crate::variables::variables;

/// The limit of one `blocking-write-and-flush`, in bytes (WASI 0.2, `wasi:io/streams`).
const MAX_WRITE_BYTES: usize = 4096;

/// The default status of an outgoing response (WASI 0.2, `wasi:http/types`).
const OK: u16 = 200;

/// Implements the exported interface.
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
        match response_head(&response) {
            Ok((head, body)) => {
                ResponseOutparam::set(out, Ok(head));
                if let Some(body) = body {
                    // On failure the body is shorter than `content-length`, which the host detects.
                    let _ = write_body(body, &response.body);
                }
            }
            Err(error) => ResponseOutparam::set(out, Err(error)),
        }
    }
}

/// Returns the head, and the body to write unless the response has none.
fn response_head(response: &Response) -> Result<(OutgoingResponse, Option<OutgoingBody>), ErrorCode> {
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

fn write_body(body: OutgoingBody, content: &[u8]) -> Result<(), StreamError> {
    let stream = body.write().map_err(|()| StreamError::Closed)?;
    for chunk in content.chunks(MAX_WRITE_BYTES) {
        stream.blocking_write_and_flush(chunk)?;
    }
    // A child resource of the body, so it must be dropped first.
    drop(stream);
    OutgoingBody::finish(body, None).map_err(|_| StreamError::Closed)
}

fn internal(error: impl core::fmt::Debug) -> ErrorCode {
    ErrorCode::InternalError(Some(format!("the host rejected the response: {error:?}")))
}
