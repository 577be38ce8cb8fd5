//! The sandbox: one engine, and a store and an instance for each request.
//!
//! The request is complete before the guest starts, and the response is sent after the guest has ended. So a guest
//! never waits for a client, and one that fails after it has set its response causes an error, not a truncated 200.
//!
//! A guest runs on a separate stack, a fiber, in slices: it yields to other tasks at each tick of a clock. Only a few
//! guests run at a time. Further requests wait, which counts against their deadline.
//!
//! | module | contents |
//! |---|---|
//! | `engine_config` | the settings that shape compiled code, shared with the build script |
//! | `imports` | the allowed imports, shared with the build script |
//! | `guest_env` | the environment variables of the component |
//! | `limits` | the limits of one request |
//! | `epoch` | the clock, slices and deadlines |
//! | `engine` | the engine and its instance pool |
//! | `error` | why a component is refused, and how an invocation fails |
//! | `component` | loads the embedded component or a file |
//! | `wasi` | the host functions |

mod component;
mod engine;
mod engine_config;
mod epoch;
mod error;
mod guest_env;
mod imports;
mod limits;
mod wasi;

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout_at;
use wasmtime::Store;

pub use component::{LoadedComponent, load};
pub use engine::engine;
pub use engine_config::MAX_MEMORY;
pub use error::{InvokeError, LoadError};
pub use guest_env::{GuestEnv, GuestEnvError};
pub use imports::{ALLOWED_IMPORTS, is_allowed};
pub use limits::{LimitExceeded, Limits};

use epoch::{Clock, yield_at_ticks};
use limits::{HOSTCALL_FUEL, MAX_HANDLES};
use wasi::{StatusPre, StoreData};

/// A component that is linked and ready for requests.
pub struct Sandbox {
    component: StatusPre<StoreData>,
    env: GuestEnv,
    limits: Limits,
    clock: Arc<Clock>,
    /// Guests that may still start.
    running: Semaphore,
    /// Requests that may still wait for that.
    waiting: Semaphore,
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

impl Sandbox {
    /// Links a component. Its engine has a pool of `limits.running` instances.
    ///
    /// # Errors
    ///
    /// [`LoadError`] if the component does not match the world.
    pub fn new(component: &LoadedComponent, env: GuestEnv, limits: Limits) -> Result<Self, LoadError> {
        let linked = wasi::link(&component.component);
        let permits = |count: u32| Semaphore::new(count as usize);
        Ok(Self {
            component: linked.map_err(|error| LoadError::Link(component.name.clone(), error::chain(&error)))?,
            env,
            limits,
            clock: Arc::default(),
            running: permits(limits.running),
            waiting: permits(limits.waiting),
        })
    }

    /// Starts the thread that counts ticks. Without it a guest that computes blocks its worker.
    ///
    /// # Errors
    ///
    /// If the thread cannot be started.
    pub fn spawn_epoch_thread(&self) -> io::Result<()> {
        self.clock.spawn_thread(self.component.engine())
    }

    /// The number of guests that run now.
    #[must_use]
    pub fn running(&self) -> usize {
        self.clock.guests()
    }

    /// Makes an instance and drops it. Returns how long it took to make.
    ///
    /// # Errors
    ///
    /// [`InvokeError`] if it cannot be made within the limits.
    pub async fn warm_up(&self) -> Result<Duration, InvokeError> {
        let started = Instant::now();
        let deadline = started + self.limits.timeout;
        let _permit = self.admit(deadline).await?;
        let mut store = self.store(Request::default(), deadline);
        self.run(deadline, self.component.instantiate_async(&mut store)).await?;
        Ok(started.elapsed())
    }

    /// Passes `request` to a fresh instance.
    pub async fn invoke(&self, request: Request<Bytes>) -> Invocation {
        let mut timings = Timings::default();
        // Boxed, since every connection would have room for it.
        let result = Box::pin(self.respond(request, &mut timings)).await;
        Invocation { result, timings }
    }

    async fn respond(&self, request: Request<Bytes>, timings: &mut Timings) -> Result<Response<Bytes>, InvokeError> {
        let deadline = Instant::now() + self.limits.timeout;
        let _permit = self.admit(deadline).await?;
        let mut store = self.store(request, deadline);
        let started = Instant::now();
        let mut instantiated = None;
        let call = async {
            let instance = self.component.instantiate_async(&mut store).await?;
            instantiated = Some(Instant::now());
            let arguments = store.data_mut().arguments()?;
            let handle = instance.wasi_http_incoming_handler().func_handle();
            handle.call_async(&mut store, arguments).await
        };
        let called = self.run(deadline, call).await;
        timings.instantiation = instantiated.map(|instantiated| instantiated - started);
        timings.guest = instantiated.map(|instantiated| instantiated.elapsed());
        called?;
        store.into_data().into_response()
    }

    /// Waits until a guest may start.
    async fn admit(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, InvokeError> {
        if let Ok(permit) = self.running.try_acquire() {
            return Ok(permit);
        }
        let _place = self.waiting.try_acquire().map_err(|_| InvokeError::Overloaded)?;
        let permit = timeout_at(deadline.into(), self.running.acquire()).await;
        // A permit that comes too late goes to the next request at once.
        let permit = permit.ok().and_then(Result::ok).filter(|_| Instant::now() < deadline);
        permit.ok_or(InvokeError::Timeout(self.limits.timeout))
    }

    fn store(&self, request: Request<Bytes>, deadline: Instant) -> Store<StoreData> {
        let deadline = self.clock.start(deadline);
        let data = StoreData::new(request, self.env.clone(), self.limits.memory, deadline);
        let mut store = Store::new(self.component.engine(), data);
        store.limiter(|data| &mut data.limiter);
        store.set_hostcall_fuel(HOSTCALL_FUEL);
        store.set_max_component_handles(MAX_HANDLES);
        yield_at_ticks(&mut store);
        store
    }

    /// Runs a guest. The deadline is checked before each of its slices.
    async fn run<T>(
        &self,
        deadline: Instant,
        guest: impl Future<Output = wasmtime::Result<T>>,
    ) -> Result<T, InvokeError> {
        let timeout = self.limits.timeout;
        let mut guest = pin!(guest);
        poll_fn(|context| {
            if Instant::now() >= deadline {
                return Poll::Ready(Err(InvokeError::Timeout(timeout)));
            }
            let outcome = guest.as_mut().poll(context);
            outcome.map_err(|error| InvokeError::from_wasmtime(error, timeout))
        })
        .await
    }
}
