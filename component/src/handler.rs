//! The `wasi:http` handler: converts a request for [`status`], and its response for the host.
//!
//! Every resource that it makes is passed on, also after a failure. So the component needs no destructors for them,
//! which would be imports that each instance has to link.

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
        respond(out, &status::respond(method, target.as_deref(), &variables()));
    }
}

fn respond(out: ResponseOutparam, response: &Response) {
    let headers = response.headers.iter();
    let headers: Vec<_> = headers.map(|(name, value)| (*name, value.as_bytes())).collect();
    let mut body = None;
    let head = Fields::from_list(&headers).map(|headers| {
        let head = OutgoingResponse::new(headers);
        if response.status != OK {
            // Fails only for a code outside 100 to 999.
            let _ = head.set_status_code(response.status);
        }
        if !response.body.is_empty() {
            body = head.body().ok();
        }
        head
    });
    let rejected = |error| ErrorCode::InternalError(Some(format!("the host rejected the headers: {error:?}")));
    ResponseOutparam::set(out, head.map_err(rejected));
    if let Some(body) = body {
        // On failure the body is shorter than `content-length`, which the host detects.
        let _ = write(&body, &response.body);
        let _ = OutgoingBody::finish(body, None);
    }
}

fn write(body: &OutgoingBody, content: &[u8]) -> Result<(), StreamError> {
    let stream = body.write().map_err(|()| StreamError::Closed)?;
    content
        .chunks(MAX_WRITE_BYTES)
        .try_for_each(|chunk| stream.blocking_write_and_flush(chunk))
}
