//! A component on both implementations.

use std::path::Path;
use std::time::Duration;

use status_host::sandbox::{self, GuestEnv, Limits, LoadError, MachineCode, Sandbox};
use tokio::runtime::{Builder, Runtime};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::outcome::Outcome;
use super::request::TestRequest;
use super::stock::Stock;
use crate::support::component::compiled_probe;
use crate::support::portable_component;

pub const LIMITS: Limits = Limits {
    timeout: Duration::from_mins(2),
    memory: 8 * 1024 * 1024,
};

pub const VARIABLES: [(&str, &str); 2] = [("APP_VERSION", "1.2.3"), ("COMMIT_SHA", "0123abcd")];

/// A component on both implementations.
pub struct Pair {
    /// Without a clock for time slices, so that each guest ends within its first one.
    own: Sandbox,
    fiber: Sandbox,
    stock: Stock,
    runtime: Runtime,
}

impl Pair {
    /// The probe.
    #[track_caller]
    pub fn probe() -> Self {
        let engine = sandbox::engine(1).unwrap();
        let file = Path::new(compiled_probe());
        #[expect(unsafe_code, reason = "compiling again would take seconds")]
        // SAFETY: the binary under test has compiled the file.
        let component = unsafe { Component::deserialize_file(&engine, file) }.unwrap();
        Self::new(&engine, Some(file), &component)
    }

    /// The embedded component.
    #[track_caller]
    pub fn embedded() -> Self {
        let engine = sandbox::engine(1).unwrap();
        let component = Component::from_file(&engine, portable_component()).unwrap();
        Self::new(&engine, None, &component)
    }

    /// A portable component.
    #[track_caller]
    pub fn portable(component: &[u8]) -> Self {
        let engine = sandbox::engine(1).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("compiled");
        let component = Component::from_binary(&engine, component).unwrap();
        std::fs::write(&file, component.serialize().unwrap()).unwrap();
        Self::new(&engine, Some(&file), &component)
    }

    #[track_caller]
    fn new(engine: &Engine, file: Option<&Path>, component: &Component) -> Self {
        let fiber = own(&sandbox::engine(1).unwrap(), file);
        fiber.spawn_epoch_thread().unwrap();
        Self {
            own: own(engine, file),
            fiber,
            stock: Stock::new(engine, component),
            runtime: Builder::new_current_thread().enable_time().build().unwrap(),
        }
    }

    /// Checks that both implementations agree, and that the outcome contains `fragment`.
    #[track_caller]
    pub fn assert_agree(&self, request: &TestRequest, fragment: &str) -> Outcome {
        let (own, stock) = (self.own(request), self.stock(request));
        assert_eq!(own, stock, "{request:?}: left is this project");
        assert!(own.to_string().contains(fragment), "no `{fragment}` in {own}");
        own
    }

    /// The outcome on a fiber, if the guest needs more than one time slice.
    pub fn fiber(&self, request: &TestRequest) -> Outcome {
        self.run(async { Outcome::new(self.fiber.invoke(request.build()).await.result) })
    }

    pub fn own(&self, request: &TestRequest) -> Outcome {
        self.run(async { Outcome::new(self.own.invoke(request.build()).await.result) })
    }

    pub fn stock(&self, request: &TestRequest) -> Outcome {
        self.run(self.stock.invoke(request.build()))
    }

    fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let work = async { tokio::time::timeout(LIMITS.timeout, work).await };
        self.runtime.block_on(work).expect("the guest ends")
    }
}

/// Why this project cannot link the portable `component`, which the stock implementation can.
#[track_caller]
pub fn load_error(component: &[u8]) -> LoadError {
    let engine = sandbox::engine(1).unwrap();
    Stock::new(&engine, &Component::from_binary(&engine, component).unwrap());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("portable.wasm");
    std::fs::write(&file, component).unwrap();
    let loaded = sandbox::load(&engine, Some(&file), MachineCode::Denied).unwrap();
    Sandbox::new(&loaded, environment(), LIMITS)
        .err()
        .expect("it needs a function that is missing")
}

#[track_caller]
fn own(engine: &Engine, file: Option<&Path>) -> Sandbox {
    let component = sandbox::load(engine, file, MachineCode::Allowed).unwrap();
    Sandbox::new(&component, environment(), LIMITS).unwrap()
}

fn environment() -> GuestEnv {
    let [(_, version), (_, commit)] = VARIABLES;
    GuestEnv::new(version.to_owned(), commit.to_owned())
}
