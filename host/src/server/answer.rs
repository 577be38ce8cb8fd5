//! One request, one response: whatever fails becomes a response too.

use std::convert::Infallible;

use bytes::{Bytes, BytesMut};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use tokio::time::timeout;
use tracing::{debug, error, warn};

use super::authority;
use super::connection::{Admission, Service};
use super::ending::Ending;
use super::observation::Observation;
use super::problem::{Rejection, and_close, and_retry, problem};
use crate::sandbox::Failure;

/// The most characters that the log tells of a failure.
const TOLD: usize = 1024;

/// Answers a request, or tells why not. After a rejection, and after a body, the connection is closed: what follows may
/// not be a request, or not one that everybody reads in the same way.
pub(super) async fn answer(
    service: &Service,
    ending: &Ending,
    admission: Admission,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let has_body = !request.body().is_end_stream();
    let (observation, response, is_last) = if let Some(rejection) = ending.rejection() {
        (service.observer.observe_rejected(), rejected(rejection), true)
    } else if admission == Admission::Refused {
        let full = Rejection::new(StatusCode::SERVICE_UNAVAILABLE, "too many connections are open");
        (service.observer.observe(&request), and_retry(rejected(full)), true)
    } else {
        let mut observation = service.observer.observe(&request);
        let whole = whole(service, request).await;
        if has_body {
            observation.restart();
        }
        let response = match whole {
            Ok(request) => respond(service, request, &observation).await,
            Err(rejection) => rejected(rejection),
        };
        (observation, response, has_body || ending.is_near())
    };
    observation.end(&response);
    if !is_last {
        return Ok(response);
    }
    ending.decide();
    Ok(and_close(response))
}

fn rejected(rejection: Rejection) -> Response<Full<Bytes>> {
    debug!(
        status = rejection.status.as_u16(),
        detail = rejection.detail,
        "a request is rejected"
    );
    problem(rejection)
}

async fn respond(
    service: &Service,
    mut request: Request<Full<Bytes>>,
    observation: &Observation<'_>,
) -> Response<Full<Bytes>> {
    authority::establish(&mut request, service.local);
    service.sandbox.respond(request).await.unwrap_or_else(|failure| {
        let trace = observation.trace.id();
        // Some of it is the component's own words.
        let told: String = failure.to_string().chars().take(TOLD).collect();
        if let Failure::Busy(_) = failure {
            warn!(failure = told, trace, "a request is refused");
        } else {
            error!(failure = told, trace, "the component gave no answer");
        }
        failed(&failure)
    })
}

/// The request with its body, which has to be there in time and within its limit before an instance is made for it.
async fn whole(service: &Service, request: Request<Incoming>) -> Result<Request<Full<Bytes>>, Rejection> {
    let (head, body) = request.into_parts();
    if body.is_end_stream() {
        return Ok(Request::from_parts(head, Full::default()));
    }
    let too_large = Rejection::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "the body of the request is over the limit",
    );
    let limit = service.max_body;
    // What says that it is too long is not asked to come.
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large);
    }
    match timeout(service.client_timeout, read(Limited::new(body, limit))).await {
        Ok(Ok(body)) => Ok(Request::from_parts(head, Full::new(body))),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large),
        Ok(Err(_)) => Err(Rejection::new(
            StatusCode::BAD_REQUEST,
            "the body of the request is not whole, or not what its framing says",
        )),
        Err(_) => Err(Rejection::new(
            StatusCode::REQUEST_TIMEOUT,
            "the body of the request did not come in time",
        )),
    }
}

/// A whole body, in one piece from the start: chunks of a byte that are kept as they came take many times its size.
async fn read<B: Body<Data = Bytes> + Unpin>(mut body: B) -> Result<Bytes, B::Error> {
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or_default();
    let mut whole = BytesMut::with_capacity(expected);
    while let Some(frame) = body.frame().await {
        if let Ok(piece) = frame?.into_data() {
            whole.extend_from_slice(&piece);
        }
    }
    Ok(whole.freeze())
}

/// What a client gets to know of a failure: whose it is, not what it is.
fn failed(failure: &Failure) -> Response<Full<Bytes>> {
    let (status, detail) = match failure {
        Failure::Busy(_) => {
            let busy = Rejection::new(StatusCode::SERVICE_UNAVAILABLE, "too many requests are in flight");
            return and_retry(problem(busy));
        }
        Failure::Trap(_) | Failure::Limit(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the component failed"),
        Failure::Timeout(_) => (StatusCode::GATEWAY_TIMEOUT, "the component did not answer in time"),
        Failure::NoResponse | Failure::Refused(_) | Failure::Response(_) | Failure::BodyLimit => {
            (StatusCode::BAD_GATEWAY, "the component gave no valid response")
        }
    };
    problem(Rejection::new(status, detail))
}
