//! One request through one instance.
//!
//! The request is complete before the guest starts, and the response is sent after the guest has ended. So a guest
//! never waits for a client, and one that fails after it has set its response causes an error, not a truncated 200. The
//! body is collected while the guest writes it, up to a limit.

use std::pin::{Pin, pin};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use tokio::sync::oneshot;
use tokio::time::timeout;
use wasmtime::Store;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::bindings::{Proxy, ProxyPre};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use super::component::{LoadError, LoadedComponent};
use super::epoch::{spawn_epoch_thread, yield_on_epoch};
use super::guest_env::GuestEnv;
use super::invoke_error::{InvokeError, MAX_BODY_BYTES};
use super::limits::{HOSTCALL_FUEL, Limits};
use super::store::StoreData;

/// Maximum number and size of the response headers.
const MAX_HEADERS: usize = 100;
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// A component that is linked and ready for requests.
pub struct Sandbox {
    component: ProxyPre<StoreData>,
    env: GuestEnv,
    limits: Limits,
}

/// The outcome of one request.
pub struct Invocation {
    /// The response, complete and within the limits.
    pub result: Result<Response<Full<Bytes>>, InvokeError>,
    /// How long it took.
    pub timings: Timings,
}

/// How long the parts of an invocation took, as far as it got.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timings {
    /// To make the instance.
    pub instantiation: Option<Duration>,
    /// In the guest, including host functions and waiting for a worker thread.
    pub guest: Option<Duration>,
}

type GuestResponse = Result<Response<HyperOutgoingBody>, ErrorCode>;

/// When an instance was made, and when its guest returned. Outlives a guest that the timeout stops.
#[derive(Default)]
struct CallTimes {
    /// The duration and the end of the instantiation.
    instantiated: OnceLock<(Duration, Instant)>,
    returned: OnceLock<Instant>,
}

impl CallTimes {
    fn timings(&self) -> Timings {
        let instantiated = self.instantiated.get();
        let guest = |start: Instant| self.returned.get().map_or_else(|| start.elapsed(), |end| *end - start);
        Timings {
            instantiation: instantiated.map(|(duration, _)| *duration),
            guest: instantiated.map(|(_, start)| guest(*start)),
        }
    }
}

impl Sandbox {
    /// Links a component.
    ///
    /// # Errors
    ///
    /// [`LoadError`] if the component needs more than the world provides, or does not export the handler.
    pub fn new(component: &LoadedComponent, env: GuestEnv, limits: Limits) -> Result<Self, LoadError> {
        Ok(Self {
            component: component.link()?,
            env,
            limits,
        })
    }

    /// Starts the thread that makes guests yield. Without it a guest that computes blocks its worker.
    ///
    /// # Errors
    ///
    /// If the thread cannot be started.
    pub fn spawn_epoch_thread(&self) -> std::io::Result<()> {
        spawn_epoch_thread(self.component.engine())
    }

    /// Makes an instance and drops it. Returns how long it took to make.
    ///
    /// # Errors
    ///
    /// [`InvokeError`] if it cannot be made within the limits.
    pub async fn warm_up(&self) -> Result<Duration, InvokeError> {
        let (mut store, times) = (self.store(), CallTimes::default());
        self.with_timeout(pin!(self.instantiate(&mut store, &times))).await?;
        Ok(times.timings().instantiation.unwrap_or_default())
    }

    /// Passes `request`, which must have a `Host`, to a fresh instance.
    pub async fn invoke(&self, request: Request<Full<Bytes>>) -> Invocation {
        let method = request.method().clone();
        let times = CallTimes::default();
        let (sender, receiver) = oneshot::channel();
        // Concurrent, so that a body that is too large stops the guest.
        let response = async { tokio::try_join!(biased; self.run(request, sender, &times), read_response(receiver)) };
        let response = self.with_timeout(pin!(response)).await;
        let timings = times.timings();
        let result = response.and_then(|((), response)| {
            validate_response(&method, &response)?;
            Ok(response.map(|body| {
                if method == Method::HEAD {
                    Full::default()
                } else {
                    Full::new(body)
                }
            }))
        });
        Invocation { result, timings }
    }

    /// Runs the guest to its end. Dropping the store drops everything that the guest left open.
    async fn run(
        &self,
        request: Request<Full<Bytes>>,
        sender: oneshot::Sender<GuestResponse>,
        times: &CallTimes,
    ) -> Result<(), InvokeError> {
        let mut store = self.store();
        let mut http = store.data_mut().http();
        let request = request.map(|body| body.map_err(|never| -> wasmtime_wasi_http::Error { match never {} }));
        let request = http
            .new_incoming_request(Scheme::Http, request)
            .map_err(InvokeError::Host)?;
        let out = http.new_response_outparam(sender).map_err(InvokeError::Host)?;
        let instance = self.instantiate(&mut store, times).await?;
        let handler = instance.wasi_http_incoming_handler();
        let called = handler.call_handle(&mut store, request, out).await;
        // Before the store is dropped, which takes no time of the guest.
        let _ = times.returned.set(Instant::now());
        called.map_err(InvokeError::from_runtime)?;
        if store.data_mut().has_open_body() {
            return Err(InvokeError::InvalidResponse("its body was not finished"));
        }
        Ok(())
    }

    fn store(&self) -> Store<StoreData> {
        let mut store = Store::new(self.component.engine(), StoreData::new(self.env.clone(), self.limits));
        store.limiter(|data| &mut data.limiter);
        store.set_hostcall_fuel(HOSTCALL_FUEL);
        yield_on_epoch(&mut store);
        store
    }

    async fn instantiate(&self, store: &mut Store<StoreData>, times: &CallTimes) -> Result<Proxy, InvokeError> {
        let start = Instant::now();
        let instance = self
            .component
            .instantiate_async(store)
            .await
            .map_err(InvokeError::from_runtime)?;
        let end = Instant::now();
        // Each is set once.
        let _ = times.instantiated.set((end - start, end));
        Ok(instance)
    }

    /// Fails after the timeout; the caller then drops `work`, and the instance with it. `work` is pinned by the caller:
    /// taken by value, it would be stored a second time in this future, and every connection has room for it.
    async fn with_timeout<T>(
        &self,
        work: Pin<&mut impl Future<Output = Result<T, InvokeError>>>,
    ) -> Result<T, InvokeError> {
        let limit = self.limits.timeout;
        timeout(limit, work).await.unwrap_or(Err(InvokeError::Timeout(limit)))
    }
}

async fn read_response(receiver: oneshot::Receiver<GuestResponse>) -> Result<Response<Bytes>, InvokeError> {
    let response = match receiver.await {
        Ok(Ok(response)) => response,
        Ok(Err(code)) => return Err(InvokeError::ErrorCode(code)),
        Err(_) => return Err(InvokeError::NoResponse),
    };
    let (head, body) = response.into_parts();
    match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(body) => Ok(Response::from_parts(head, body.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => Err(InvokeError::BodyTooLarge),
        Err(_) => Err(InvokeError::InvalidResponse("its body is incomplete")),
    }
}

/// Checks that the status is final, that the headers are within the limits, and that `content-length` is correct (RFC
/// 9110 section 8.6).
fn validate_response(method: &Method, response: &Response<Bytes>) -> Result<(), InvokeError> {
    let (status, headers) = (response.status(), response.headers());
    if !(200..600).contains(&status.as_u16()) {
        return Err(InvokeError::InvalidResponse("its status is not final"));
    }
    let bytes = |(name, value): (&header::HeaderName, &header::HeaderValue)| name.as_str().len() + value.len();
    if headers.len() > MAX_HEADERS || headers.iter().map(bytes).sum::<usize>() > MAX_HEAD_BYTES {
        return Err(InvokeError::InvalidResponse(
            "it has more than 100 headers, or more than 16 KiB of them",
        ));
    }
    let length = headers.get(header::CONTENT_LENGTH);
    let has_content = method != Method::HEAD && status != StatusCode::NOT_MODIFIED && status != StatusCode::NO_CONTENT;
    match length {
        Some(length) if has_content && length.as_bytes() != response.body().len().to_string().as_bytes() => {
            Err(InvokeError::InvalidResponse("its content-length is wrong"))
        }
        _ => Ok(()),
    }
}
