//! One request, one response: whatever fails becomes a response too.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tracing::error;

use super::authority;
use super::problem::{self, problem};
use crate::sandbox::{Failure, Sandbox};

/// Answers a request that came to `local`.
pub(super) async fn answer(
    sandbox: &Sandbox,
    local: SocketAddr,
    mut request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if let Err(detail) = authority::establish(&mut request, local) {
        return Ok(problem::and_close(problem(StatusCode::BAD_REQUEST, detail)));
    }
    Ok(sandbox.respond(request).await.unwrap_or_else(|failure| {
        error!(%failure, "the component gave no answer");
        failed(&failure)
    }))
}

/// What a client gets to know of a failure: whose it is, not what it is.
fn failed(failure: &Failure) -> Response<Full<Bytes>> {
    match failure {
        Failure::Busy(_) => problem::and_retry(problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many requests are in flight",
        )),
        Failure::Trap(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "the component failed"),
        Failure::NoResponse | Failure::Refused(_) | Failure::Response(_) | Failure::BodyLimit => {
            problem(StatusCode::BAD_GATEWAY, "the component gave no valid response")
        }
    }
}
