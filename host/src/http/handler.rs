//! One request, one response. Every failure becomes a response too.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use tokio::time::timeout;
use tracing::{debug, error, warn};

use super::problem::Rejection;
use super::request_record::{RequestRecord, RequestRecorder, truncated};
use super::validate::validate;
use crate::cli::LimitArgs;
use crate::health::{Health, Phase};
use crate::sandbox::{InvokeError, Sandbox};

const BODY_TOO_LARGE: Rejection = Rejection::new(
    StatusCode::PAYLOAD_TOO_LARGE,
    "the request body is larger than the limit",
);
const BODY_LATE: Rejection = Rejection::new(StatusCode::REQUEST_TIMEOUT, "the request body was not received in time");
const BODY_INCOMPLETE: Rejection = Rejection::new(
    StatusCode::BAD_REQUEST,
    "the request body is incomplete or contradicts its framing",
);

/// Turns requests into responses.
pub(crate) struct Handler {
    sandbox: Sandbox,
    recorder: RequestRecorder,
    limits: LimitArgs,
    health: Health,
}

impl Handler {
    pub(crate) fn new(sandbox: Sandbox, recorder: RequestRecorder, limits: LimitArgs, health: Health) -> Self {
        Self {
            sandbox,
            recorder,
            limits,
            health,
        }
    }

    /// Makes the first instance, before any connection needs one.
    pub(crate) async fn warm_up(&self) -> Result<(), InvokeError> {
        let instantiation = self.sandbox.warm_up().await?;
        self.recorder.metrics().record_instantiation(instantiation);
        Ok(())
    }

    /// Counts and logs a head that hyper could not parse. It has responded, but not to an HTTP/2 preface.
    pub(super) fn record_malformed(&self, error: &hyper::Error) {
        let status = if error.is_parse_too_large() {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
        } else {
            StatusCode::BAD_REQUEST
        };
        debug!(status = status.as_u16(), detail = %error, "request rejected");
        self.recorder.record_malformed(status);
    }

    /// Handles a request once it is complete. What follows a rejected request, or one with a body, may not be a
    /// request, or not the same to every proxy: the response closes the connection.
    pub(super) async fn handle(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let has_body = !body.is_end_stream();
        let body = match validate(&head) {
            Ok(()) => self.collect(body).await,
            Err(rejection) => Err(rejection),
        };
        let record = self.recorder.start(&head);
        let is_rejected = body.is_err();
        let mut response = match body {
            Ok(body) => self.invoke(Request::from_parts(head, body), &record).await,
            Err(rejection) => {
                let Rejection { status, detail } = rejection;
                debug!(status = status.as_u16(), detail, "request rejected");
                rejection.into_response()
            }
        };
        record.finish(&response);
        if is_rejected || has_body || self.health.phase() == Phase::Draining {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        response
    }

    /// Receives the whole body, within the limits on its size and time.
    async fn collect(&self, mut body: Incoming) -> Result<Bytes, Rejection> {
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        if body.size_hint().lower() > self.limits.max_body as u64 {
            return Err(BODY_TOO_LARGE);
        }
        // Not `Limited` and `collect`, which keep each chunk: a client could send chunks of one byte.
        let receive = async {
            let mut received = Vec::new();
            while let Some(frame) = body.frame().await {
                let Ok(chunk) = frame.map_err(|_| BODY_INCOMPLETE)?.into_data() else {
                    continue;
                };
                if received.len() + chunk.len() > self.limits.max_body {
                    return Err(BODY_TOO_LARGE);
                }
                received.extend_from_slice(&chunk);
            }
            Ok(received.into())
        };
        timeout(self.limits.client_timeout, receive)
            .await
            .unwrap_or(Err(BODY_LATE))
    }

    async fn invoke(&self, request: Request<Bytes>, record: &RequestRecord<'_>) -> Response<Full<Bytes>> {
        let invocation = self.sandbox.invoke(request).await;
        let metrics = self.recorder.metrics();
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

fn log_failure(failure: &InvokeError, trace: Option<&str>) {
    let message = truncated(&failure.to_string());
    if let InvokeError::Overloaded = failure {
        warn!(error = message, trace, "concurrency limit reached");
    } else {
        error!(error = message, trace, "component failed");
    }
}

/// The response for a failed invocation. It names the side at fault, and no details.
fn error_response(failure: &InvokeError) -> Response<Full<Bytes>> {
    let (status, detail) = match failure {
        InvokeError::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "too many requests in flight"),
        InvokeError::Trap(_) | InvokeError::Limit(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the component failed"),
        InvokeError::Timeout(_) => (StatusCode::GATEWAY_TIMEOUT, "the component did not respond in time"),
        InvokeError::NoResponse | InvokeError::ErrorCode(_) | InvokeError::InvalidResponse(_) => {
            (StatusCode::BAD_GATEWAY, "the component returned no valid response")
        }
    };
    Rejection::new(status, detail).into_response()
}
