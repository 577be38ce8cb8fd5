//! One request, one response. Every failure becomes a response too.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tracing::{debug, error, warn};

use super::head::ensure_host;
use super::io::{Admission, CloseState, INCOMPLETE, RejectedPart};
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
    /// Every response closes its connection.
    pub(super) draining: AtomicBool,
}

impl Handler {
    /// Handles a request. `close` decides whether the connection survives the response.
    pub(super) async fn handle(
        &self,
        close: &CloseState,
        admission: Admission,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let (record, response) = match close.rejection() {
            Some((RejectedPart::Head, rejection)) => (self.recorder.start_rejected(), reject(rejection)),
            Some((RejectedPart::Body, rejection)) => (self.recorder.start(&request), reject(rejection)),
            None if admission == Admission::Overloaded => {
                let overloaded = Rejection::new(StatusCode::SERVICE_UNAVAILABLE, "too many open connections");
                (self.recorder.start(&request), with_retry_after(reject(overloaded)))
            }
            None => {
                let record = self.recorder.start(&request);
                let respond = async { Ok(self.invoke(whole(request).await?, &record).await) };
                let response = respond.await.unwrap_or_else(reject);
                (record, response)
            }
        };
        record.finish(&response);
        if self.draining.load(Ordering::Relaxed) {
            close.set_last_request();
        }
        if close.close_after_response(admission) {
            return Ok(with_connection_close(response));
        }
        Ok(response)
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

/// The request with its body, which has arrived completely.
async fn whole(request: Request<Incoming>) -> Result<Request<Bytes>, Rejection> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| INCOMPLETE)?;
    Ok(Request::from_parts(head, body.to_bytes()))
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
