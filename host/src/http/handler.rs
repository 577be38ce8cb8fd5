//! One request, one response. Every failure becomes a response too.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use tokio::time::timeout;
use tracing::{debug, error, warn};

use super::head::ensure_host;
use super::io::{Admission, CloseState};
use super::problem::{Rejection, problem, with_connection_close, with_retry_after};
use super::request_record::{RequestRecord, RequestRecorder};
use crate::sandbox::{InvokeError, Sandbox};

/// The length of an error in the log, in characters: a part of it may come from the component.
const MAX_LOGGED_CHARS: usize = 1024;

/// Turns requests into responses.
pub(super) struct Handler {
    pub(super) sandbox: Sandbox,
    pub(super) recorder: RequestRecorder,
    pub(super) local_addr: SocketAddr,
    pub(super) body_timeout: Duration,
    pub(super) max_body: usize,
}

impl Handler {
    /// Handles a request. `close` decides whether the connection survives the response.
    pub(super) async fn handle(
        &self,
        close: &CloseState,
        admission: Admission,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let has_body = !request.body().is_end_stream();
        let (record, response) = if let Some(rejection) = close.rejection() {
            (self.recorder.start_rejected(), reject(rejection))
        } else if admission == Admission::Overloaded {
            let overloaded = Rejection::new(StatusCode::SERVICE_UNAVAILABLE, "too many open connections");
            (self.recorder.start(&request), with_retry_after(reject(overloaded)))
        } else {
            let mut record = self.recorder.start(&request);
            let buffered = self.buffer_body(request).await;
            if has_body {
                record.reset_timer();
            }
            let response = match buffered {
                Ok(request) => self.invoke(request, &record).await,
                Err(rejection) => reject(rejection),
            };
            (record, response)
        };
        record.finish(&response);
        if close.close_after_response(admission, has_body) {
            return Ok(with_connection_close(response));
        }
        Ok(response)
    }

    /// The request with its whole body, so that no instance waits for a client.
    async fn buffer_body(&self, request: Request<Incoming>) -> Result<Request<Bytes>, Rejection> {
        let (head, body) = request.into_parts();
        if body.is_end_stream() {
            return Ok(Request::from_parts(head, Bytes::new()));
        }
        let too_large = Rejection::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the request body is larger than the limit",
        );
        // Before hyper sends 100 Continue (RFC 9110 section 10.1.1).
        if body.size_hint().lower() > self.max_body as u64 {
            return Err(too_large);
        }
        match timeout(self.body_timeout, collect_body(Limited::new(body, self.max_body))).await {
            Ok(Ok(body)) => Ok(Request::from_parts(head, body)),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large),
            Ok(Err(_)) => Err(Rejection::new(
                StatusCode::BAD_REQUEST,
                "the request body is incomplete or contradicts its framing",
            )),
            Err(_) => Err(Rejection::new(
                StatusCode::REQUEST_TIMEOUT,
                "the request body was not received in time",
            )),
        }
    }

    async fn invoke(&self, mut request: Request<Bytes>, record: &RequestRecord<'_>) -> Response<Full<Bytes>> {
        ensure_host(&mut request, self.local_addr);
        let invocation = self.sandbox.invoke(request).await;
        let metrics = &self.recorder.metrics().sandbox;
        let timings = invocation.timings;
        timings
            .instantiation
            .inspect(|time| metrics.record_instantiation(*time));
        timings.guest.inspect(|time| metrics.record_guest(*time));
        match invocation.result {
            Ok(response) => response.map(Full::new),
            Err(failure) => {
                if let Some(kind) = failure.kind() {
                    metrics.count_failure(kind);
                }
                log_failure(&failure, record.trace_id());
                error_response(&failure)
            }
        }
    }
}

fn reject(rejection: Rejection) -> Response<Full<Bytes>> {
    debug!(
        status = rejection.status.as_u16(),
        detail = rejection.detail,
        "request rejected"
    );
    problem(rejection)
}

/// Collects a body into one buffer: a list of one-byte chunks would take many times its size.
async fn collect_body<B: Body<Data = Bytes> + Unpin>(mut body: B) -> Result<Bytes, B::Error> {
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or_default();
    let mut buffer = BytesMut::with_capacity(expected);
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            buffer.extend_from_slice(&data);
        }
    }
    Ok(buffer.freeze())
}

fn log_failure(failure: &InvokeError, trace: Option<&str>) {
    let message: String = failure.to_string().chars().take(MAX_LOGGED_CHARS).collect();
    if let InvokeError::Overloaded(_) = failure {
        warn!(error = message, trace, "instance limit reached");
    } else {
        error!(error = message, trace, "component failed");
    }
}

/// The response for a failed invocation. It names the side at fault, and no details.
fn error_response(failure: &InvokeError) -> Response<Full<Bytes>> {
    let (status, detail) = match failure {
        InvokeError::Overloaded(_) => {
            let overloaded = Rejection::new(StatusCode::SERVICE_UNAVAILABLE, "too many requests in flight");
            return with_retry_after(problem(overloaded));
        }
        InvokeError::Trap(_) | InvokeError::Limit(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the component failed"),
        InvokeError::Timeout(_) => (StatusCode::GATEWAY_TIMEOUT, "the component did not respond in time"),
        InvokeError::NoResponse
        | InvokeError::ErrorCode(_)
        | InvokeError::InvalidResponse(_)
        | InvokeError::BodyTooLarge => (StatusCode::BAD_GATEWAY, "the component returned no valid response"),
    };
    problem(Rejection::new(status, detail))
}
