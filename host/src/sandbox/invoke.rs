//! One request through one instance.
//!
//! The request is complete before the guest starts, and the response is sent after the guest has ended. So a guest
//! never waits for a client, and one that fails after it has set its response causes an error, not a truncated 200.
//!
//! Nearly every guest ends within its first time slice, on the stack of the worker thread. One that does not is stopped
//! there, and the request starts again with an instance on a stack of its own, a fiber, which yields to other tasks
//! after each slice. That is sound, since the guest has changed nothing but its own instance, and nothing was sent.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use tokio::time::timeout_at;
use wasmtime::{Store, Trap};

use super::component::LoadedComponent;
use super::epoch::{Ticks, trap_after_first_slice, yield_after_each_slice};
use super::guest_env::GuestEnv;
use super::invoke_error::InvokeError;
use super::limits::{HOSTCALL_FUEL, Limits};
use super::load_error::LoadError;
use super::wasi::{Outcome, SliceEnded, StatusPre, StoreData};

/// Maximum number and size of the response headers.
const MAX_HEADERS: usize = 100;
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// A component that is linked and ready for requests.
pub struct Sandbox {
    /// For the first time slice.
    sync: StatusPre<StoreData>,
    /// For guests that need more time.
    fiber: StatusPre<StoreData>,
    env: GuestEnv,
    limits: Limits,
    ticks: Ticks,
}

/// The outcome of one request.
pub struct Invocation {
    /// The response, complete and within the limits.
    pub result: Result<Response<Bytes>, InvokeError>,
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

/// When an instance was started, made, and left.
struct CallTimes {
    started: Instant,
    instantiated: Option<Instant>,
    returned: Option<Instant>,
}

impl CallTimes {
    fn start(started: Instant) -> Self {
        Self {
            started,
            instantiated: None,
            returned: None,
        }
    }

    /// The timings of an instance that returned, or that is stopped now.
    fn timings(&self) -> Timings {
        let guest = |made: Instant| self.returned.unwrap_or_else(Instant::now) - made;
        Timings {
            instantiation: self.instantiated.map(|made| made - self.started),
            guest: self.instantiated.map(guest),
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
        let (sync, fiber) = component.link()?;
        Ok(Self {
            sync,
            fiber,
            env,
            limits,
            ticks: Ticks::default(),
        })
    }

    /// Starts the thread that ends time slices. Without it a guest that computes blocks its worker.
    ///
    /// # Errors
    ///
    /// If the thread cannot be started.
    pub fn spawn_epoch_thread(&self) -> std::io::Result<()> {
        self.ticks.spawn_thread(self.sync.engine())
    }

    /// Makes an instance and drops it. Returns how long it took to make.
    ///
    /// # Errors
    ///
    /// [`InvokeError`] if it cannot be made within the limits.
    pub async fn warm_up(&self) -> Result<Duration, InvokeError> {
        let started = Instant::now();
        let mut store = self.store(Request::default());
        yield_after_each_slice(&mut store);
        self.with_timeout(started, self.fiber.instantiate_async(&mut store))
            .await?;
        Ok(started.elapsed())
    }

    /// Passes `request` to a fresh instance.
    pub async fn invoke(&self, request: Request<Bytes>) -> Invocation {
        let started = Instant::now();
        match self.invoke_in_first_slice(request, started) {
            ControlFlow::Break(invocation) => invocation,
            // Boxed, since every connection would have room for it.
            ControlFlow::Continue(request) => Box::pin(self.invoke_on_fiber(request, started)).await,
        }
    }

    /// Gives the request back if the guest needs more than its first time slice.
    fn invoke_in_first_slice(
        &self,
        request: Request<Bytes>,
        started: Instant,
    ) -> ControlFlow<Invocation, Request<Bytes>> {
        let mut times = CallTimes::start(started);
        let mut store = self.store(request);
        trap_after_first_slice(&mut store);
        let mut call = || {
            let instance = self.sync.instantiate(&mut store)?;
            times.instantiated = Some(Instant::now());
            let (request, out) = store.data_mut().arguments()?;
            let handler = instance.wasi_http_incoming_handler();
            handler.call_handle(&mut store, request, out)
        };
        let called = call();
        times.returned = Some(Instant::now());
        match called {
            Err(error) if is_slice_end(&error) => ControlFlow::Continue(store.into_data().into_request()),
            called => ControlFlow::Break(invocation(store, called.map_err(InvokeError::from_runtime), &times)),
        }
    }

    /// Runs the guest to its end, or to the timeout, which began at `started`.
    async fn invoke_on_fiber(&self, request: Request<Bytes>, started: Instant) -> Invocation {
        let mut times = CallTimes::start(Instant::now());
        let mut store = self.store(request);
        yield_after_each_slice(&mut store);
        let call = async {
            let instance = self.fiber.instantiate_async(&mut store).await?;
            times.instantiated = Some(Instant::now());
            let arguments = store.data_mut().arguments()?;
            let handle = instance.wasi_http_incoming_handler().func_handle();
            let called = handle.call_async(&mut store, arguments).await;
            // Before the store is dropped, which takes no time of the guest.
            times.returned = Some(Instant::now());
            called
        };
        let called = self.with_timeout(started, call).await;
        invocation(store, called, &times)
    }

    fn store(&self, request: Request<Bytes>) -> Store<StoreData> {
        let data = StoreData::new(self.env.clone(), self.limits, self.ticks.first_slice(), request);
        let mut store = Store::new(self.sync.engine(), data);
        store.limiter(|data| &mut data.limiter);
        store.set_hostcall_fuel(HOSTCALL_FUEL);
        store
    }

    /// Fails at the end of the timeout that began at `started`.
    async fn with_timeout<T>(
        &self,
        started: Instant,
        work: impl Future<Output = wasmtime::Result<T>>,
    ) -> Result<T, InvokeError> {
        let limit = self.limits.timeout;
        match timeout_at((started + limit).into(), work).await {
            Ok(result) => result.map_err(InvokeError::from_runtime),
            Err(_) => Err(InvokeError::Timeout(limit)),
        }
    }
}

/// Whether the guest was stopped at the end of its first slice, in its own code or in a host function.
fn is_slice_end(error: &wasmtime::Error) -> bool {
    error.is::<SliceEnded>() || matches!(error.downcast_ref(), Some(Trap::Interrupt))
}

fn invocation(store: Store<StoreData>, called: Result<(), InvokeError>, times: &CallTimes) -> Invocation {
    let timings = times.timings();
    let result = called.and_then(|()| response(store.into_data()));
    Invocation { result, timings }
}

/// The response that the guest left behind.
fn response(data: StoreData) -> Result<Response<Bytes>, InvokeError> {
    let method = data.method().clone();
    let (head, body) = match data.into_outcome() {
        Outcome::Response(response) => response.into_parts(),
        Outcome::OpenBody => return Err(InvokeError::InvalidResponse("its body was not finished")),
        Outcome::ErrorCode(code) => return Err(InvokeError::ErrorCode(code)),
        Outcome::None => return Err(InvokeError::NoResponse),
    };
    let body = body.ok_or(InvokeError::InvalidResponse("its body is incomplete"))?;
    let mut response = Response::from_parts(head, body);
    validate_response(&method, &response)?;
    if method == Method::HEAD {
        response.body_mut().clear();
    }
    Ok(response)
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
