//! One request through one instance.
//!
//! The request is whole before the guest starts, and the guest runs to its end before the first byte goes out: it never
//! waits for a client, and one that fails after it has set its response does not leave a 200 behind that looks
//! complete. Its body is collected while it writes, within a limit.

use std::pin::{Pin, pin};
use std::time::Instant;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use tokio::sync::oneshot;
use tokio::time::timeout;
use wasmtime::component::ResourceTableError;
use wasmtime::{PoolConcurrencyLimitError, Store};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::Proxy;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use super::limit::{CALL_LIMIT, Limit};
use super::state::State;
use super::{Sandbox, epoch};
use crate::telemetry::GuestFailure;

/// The longest body that a component may answer with, in bytes.
const BODY_LIMIT: usize = 1024 * 1024;

/// The most headers, and the most bytes of headers, that a component may answer with.
const HEADERS_LIMIT: usize = 100;
const HEAD_LIMIT: usize = 16 * 1024;

/// How a guest can fail to answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// All instances are taken.
    #[error("no instance is free: {0}")]
    Busy(wasmtime::Error),
    /// The guest ended in a trap, or could not be started.
    #[error("the component failed: {0:#}")]
    Trap(wasmtime::Error),
    /// The guest would take more than it is allowed.
    #[error("the component reached a limit: {0}")]
    Limit(Limit),
    /// The guest did not end in time.
    #[error("the component did not end within {} ms (--request-timeout)", .0.as_millis())]
    Timeout(std::time::Duration),
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

impl Failure {
    /// How it is counted; none where the component has no part in it.
    fn kind(&self) -> Option<GuestFailure> {
        Some(match self {
            Self::Busy(_) => return None,
            Self::Trap(_) => GuestFailure::Trap,
            Self::Limit(Limit::Memory(..)) => GuestFailure::Memory,
            Self::Limit(Limit::Table(_) | Limit::Resources) => GuestFailure::Limit,
            Self::Timeout(_) => GuestFailure::Timeout,
            Self::NoResponse => GuestFailure::NoResponse,
            Self::Refused(_) => GuestFailure::Error,
            Self::Response(_) | Self::BodyLimit => GuestFailure::InvalidResponse,
        })
    }
}

type Answer = Result<Response<HyperOutgoingBody>, ErrorCode>;

impl Sandbox {
    /// Answers `request`, which must name its authority, in a fresh instance.
    ///
    /// # Errors
    ///
    /// [`Failure`], when the guest gives no complete response.
    pub async fn respond(&self, request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Failure> {
        let method = request.method().clone();
        let (sender, answer) = oneshot::channel();
        // A body that is over its limit ends the guest, which has no other reader to write for.
        let answered = pin!(async { tokio::try_join!(biased; self.run(request, sender), collect(answer)) });
        let checked = |((), response)| check(&method, &response).map(|()| response);
        match self.in_time(answered).await.and_then(checked) {
            Ok(response) if method == Method::HEAD => Ok(response.map(|_| Full::default())),
            Ok(response) => Ok(response.map(Full::new)),
            Err(failure) => {
                failure.kind().inspect(|kind| self.metrics.guest_failed(*kind));
                Err(failure)
            }
        }
    }

    /// Makes an instance and drops it.
    ///
    /// # Errors
    ///
    /// [`Failure`], when it cannot be made in time and within the limits.
    pub async fn start(&self) -> Result<(), Failure> {
        let mut store = self.store();
        self.in_time(pin!(self.instantiate(&mut store))).await?;
        Ok(())
    }

    /// Runs the guest to its end. The store goes with it, and with the store whatever the guest left open.
    async fn run(&self, request: Request<Full<Bytes>>, answer: oneshot::Sender<Answer>) -> Result<(), Failure> {
        let mut store = self.store();
        let mut http = store.data_mut().http();
        let request = request.map(|body| body.map_err(|never| -> wasmtime_wasi_http::Error { match never {} }));
        let request = http
            .new_incoming_request(Scheme::Http, request)
            .map_err(Failure::Trap)?;
        let out = http.new_response_outparam(answer).map_err(Failure::Trap)?;
        let (instance, made) = self.instantiate(&mut store).await?;
        let handler = instance.wasi_http_incoming_handler();
        let running = self.metrics.guest.run_from(made);
        handler.call_handle(&mut store, request, out).await.map_err(stopped)?;
        drop(running);
        if store.data_mut().has_open_body() {
            return Err(Failure::Response("its body was not finished"));
        }
        Ok(())
    }

    fn store(&self) -> Store<State> {
        let mut store = Store::new(self.component.engine(), State::new(self.grant.clone(), self.limits));
        store.limiter(|state| &mut state.growth);
        store.set_hostcall_fuel(CALL_LIMIT);
        epoch::give_way(&mut store);
        store
    }

    /// Makes an instance, and tells when that was done.
    async fn instantiate(&self, store: &mut Store<State>) -> Result<(Proxy, Instant), Failure> {
        let begin = Instant::now();
        let instance = self.component.instantiate_async(store).await.map_err(stopped)?;
        let made = Instant::now();
        self.metrics.instances.observe(made - begin);
        Ok((instance, made))
    }

    /// Gives up what is not done in time, which its owner drops, and with it the instance, wherever it is. Lent, since
    /// each future that owns another is as large again, and a connection keeps room for the largest.
    async fn in_time<T>(&self, work: Pin<&mut impl Future<Output = Result<T, Failure>>>) -> Result<T, Failure> {
        let limit = self.limits.timeout;
        timeout(limit, work).await.unwrap_or(Err(Failure::Timeout(limit)))
    }
}

fn stopped(error: wasmtime::Error) -> Failure {
    if error.is::<PoolConcurrencyLimitError>() {
        Failure::Busy(error)
    } else if let Some(limit) = error.downcast_ref::<Limit>() {
        Failure::Limit(limit.clone())
    } else if let Some(ResourceTableError::Full) = error.downcast_ref() {
        Failure::Limit(Limit::Resources)
    } else {
        Failure::Trap(error)
    }
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

/// A final status, a head within its limits, and a `content-length` that is kept where content is sent (RFC 9110
/// section 8.6).
fn check(method: &Method, response: &Response<Bytes>) -> Result<(), Failure> {
    let (status, headers) = (response.status(), response.headers());
    if !(200..600).contains(&status.as_u16()) {
        return Err(Failure::Response("its status is not a final one"));
    }
    let bytes = |(name, value): (&header::HeaderName, &header::HeaderValue)| name.as_str().len() + value.len();
    if headers.len() > HEADERS_LIMIT || headers.iter().map(bytes).sum::<usize>() > HEAD_LIMIT {
        return Err(Failure::Response("it has more than 100 headers, or 16 KiB of them"));
    }
    let promised = headers.get(header::CONTENT_LENGTH);
    let sends = method != Method::HEAD && status != StatusCode::NOT_MODIFIED && status != StatusCode::NO_CONTENT;
    match promised {
        Some(length) if sends && length.as_bytes() != response.body().len().to_string().as_bytes() => {
            Err(Failure::Response("its body is not of the length that it promises"))
        }
        _ => Ok(()),
    }
}
