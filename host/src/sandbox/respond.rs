//! One request through one instance.
//!
//! The guest runs to its end before the first byte goes out: a guest that fails after it has set its response must not
//! leave a 200 behind that looks complete. Its body is collected while it writes, within a limit.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::sync::oneshot;
use wasmtime::{PoolConcurrencyLimitError, Store};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use super::Sandbox;
use super::state::State;

/// The longest body that a component may answer with, in bytes.
const BODY_LIMIT: usize = 1024 * 1024;

/// How a guest can fail to answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// All instances are taken.
    #[error("no instance is free: {0}")]
    Busy(wasmtime::Error),
    /// The guest ended in a trap, or could not be started.
    #[error("the component failed: {0:#}")]
    Trap(wasmtime::Error),
    /// The guest returned without a response.
    #[error("the component returned without a response")]
    NoResponse,
    /// The guest answered with an error in place of a response.
    #[error("the component answered with the error {0:?}")]
    Refused(ErrorCode),
    /// The guest's response is not complete, contradicts itself, or cannot be sent.
    #[error("the component's response cannot be sent: {0}")]
    Response(&'static str),
    /// The guest's body is over the limit.
    #[error("the component's body has more than {BODY_LIMIT} bytes")]
    BodyLimit,
}

type Answer = Result<Response<HyperOutgoingBody>, ErrorCode>;

impl Sandbox {
    /// Answers `request`, which must name its authority, in a fresh instance.
    ///
    /// # Errors
    ///
    /// [`Failure`], when the guest gives no complete response.
    pub async fn respond(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Failure> {
        let method = request.method().clone();
        let (sender, answer) = oneshot::channel();
        let (ran, collected) = tokio::join!(self.run(request, sender), collect(answer));
        ran?;
        let response = collected?;
        check(&method, &response)?;
        Ok(match method {
            Method::HEAD => response.map(|_| Full::default()),
            _ => response.map(Full::new),
        })
    }

    /// Runs the guest to its end. The store goes with it, and with the store whatever the guest left open.
    async fn run(&self, request: Request<Incoming>, answer: oneshot::Sender<Answer>) -> Result<(), Failure> {
        let mut store = Store::new(self.component.engine(), State::new(self.grant.clone()));
        let mut http = store.data_mut().http();
        let request = http
            .new_incoming_request(Scheme::Http, request)
            .map_err(Failure::Trap)?;
        let out = http.new_response_outparam(answer).map_err(Failure::Trap)?;
        let instance = self.component.instantiate_async(&mut store).await.map_err(stopped)?;
        let handler = instance.wasi_http_incoming_handler();
        handler.call_handle(&mut store, request, out).await.map_err(stopped)?;
        if store.data_mut().has_open_body() {
            return Err(Failure::Response("its body was not finished"));
        }
        Ok(())
    }
}

fn stopped(error: wasmtime::Error) -> Failure {
    if error.is::<PoolConcurrencyLimitError>() {
        return Failure::Busy(error);
    }
    Failure::Trap(error)
}

async fn collect(answer: oneshot::Receiver<Answer>) -> Result<Response<Bytes>, Failure> {
    let response = match answer.await {
        Ok(Ok(response)) => response,
        Ok(Err(code)) => return Err(Failure::Refused(code)),
        Err(_) => return Err(Failure::NoResponse),
    };
    let (head, body) = response.into_parts();
    match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(body) => Ok(Response::from_parts(head, body.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => Err(Failure::BodyLimit),
        Err(_) => Err(Failure::Response("its body was cut short")),
    }
}

/// A final status, and a `content-length` that is kept where content is sent (RFC 9110 section 8.6).
fn check(method: &Method, response: &Response<Bytes>) -> Result<(), Failure> {
    let status = response.status();
    if status.is_informational() {
        return Err(Failure::Response("its status is not a final one"));
    }
    let promised = response.headers().get(header::CONTENT_LENGTH);
    let sends = method != Method::HEAD && status != StatusCode::NOT_MODIFIED && status != StatusCode::NO_CONTENT;
    match promised {
        Some(length) if sends && length.as_bytes() != response.body().len().to_string().as_bytes() => {
            Err(Failure::Response("its body is not of the length that it promises"))
        }
        _ => Ok(()),
    }
}
