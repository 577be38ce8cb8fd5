//! The sandbox: one engine, and for each request a store and an instance that live no longer than the request.
//!
//! | file | what it holds |
//! |---|---|
//! | `code` | the settings that shape compiled code, shared with the build script |
//! | `world` | the interfaces that a component can import, shared likewise |
//! | `load` | from a file, or from what is embedded, to a component |
//! | `grant` | the linker, and the variables that a component gets |
//! | `limit` | what one instance may take of the machine |
//! | `epoch` | the clock that makes guests give way |
//! | `state` | what the host keeps for one instance |
//! | `respond` | one request through one instance |
//! | `usage` | how many instances are in use |

mod code;
mod epoch;
mod grant;
mod limit;
mod load;
mod respond;
mod state;
mod usage;
mod world;

use std::io;
use std::sync::Arc;

use tokio::runtime;
use wasmtime::{Engine, InstanceAllocationStrategy, PoolingAllocationConfig};
use wasmtime_wasi_http::p2::bindings::ProxyPre;

use crate::error::Error;
use crate::telemetry::Metrics;
use state::State;

pub use code::MEMORY_RESERVATION;
pub use grant::Grant;
pub use limit::{Limit, Limits};
pub use load::{LoadError, Loaded, load};
pub use respond::Failure;
pub use usage::InstancesInUse;
pub use world::{INTERFACES, is_granted};

/// Bytes of a linear memory that are cleared by hand when its instance ends, which is cheaper than giving the pages
/// back to the kernel and taking them anew. Holds the whole memory of the component that is built here.
const MEMORY_KEPT: usize = 256 * 1024;

/// Bytes of a table that are kept likewise.
const TABLE_KEPT: usize = 4 * 1024;

/// Bytes of native stack that a guest may use, recursion included. The component that is built here needs a few
/// thousand.
const STACK: usize = 256 * 1024;

/// Bytes of native stack behind that, for the host functions that a guest calls.
const HOST_STACK: usize = 256 * 1024;

/// A component that is ready to answer requests under a grant.
pub struct Sandbox {
    component: ProxyPre<State>,
    grant: Grant,
    limits: Limits,
    metrics: Arc<Metrics>,
}

/// Makes the engine, in which `instances` can live at the same time.
///
/// # Errors
///
/// [`Error::System`] where the address space for the instances cannot be had.
pub fn engine(instances: u32) -> Result<Engine, Error> {
    let engine = code::config(env!("TARGET")).and_then(|mut config| {
        // A failure is one line of the log; the frames of a guest without symbols would not explain it.
        config.wasm_backtrace_max_frames(None);
        config.max_wasm_stack(STACK).async_stack_size(STACK + HOST_STACK);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(instances)));
        Engine::new(&config)
    });
    let engine = engine.map_err(|error| io::Error::other(format!("{error:#}")));
    engine.map_err(Error::system("reserve the memory of the sandbox"))
}

fn pool(instances: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances * 4)
        .total_memories(instances)
        .max_memories_per_component(1)
        .total_tables(instances * 2)
        .total_stacks(instances)
        .max_memory_size(code::MEMORY_RESERVATION)
        .linear_memory_keep_resident(MEMORY_KEPT)
        .table_keep_resident(TABLE_KEPT);
    pool
}

impl Sandbox {
    /// Grants `grant` to a loaded component, within `limits`. An instance is made and dropped, so that a component that
    /// cannot be started is found before the first request.
    ///
    /// # Errors
    ///
    /// [`Error::Component`], when the component asks for more than the world names, does not export the handler, or
    /// cannot be started; [`Error::System`], where a thread or a timer cannot be had.
    pub fn new(loaded: &Loaded, grant: Grant, limits: Limits, metrics: Arc<Metrics>) -> Result<Self, Error> {
        let component = loaded.link(grant::linker)?;
        epoch::start(component.engine()).map_err(Error::system("start the clock of the sandbox"))?;
        let sandbox = Self {
            component,
            grant,
            limits,
            metrics,
        };
        let runtime = runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(Error::system("start the first instance"))?;
        let started = runtime.block_on(sandbox.start());
        started.map_err(|failure| LoadError::Start(loaded.name.clone(), failure))?;
        Ok(sandbox)
    }
}
