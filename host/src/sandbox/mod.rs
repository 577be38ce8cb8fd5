//! The sandbox: one engine, and for each request a store and an instance that live no longer than the request.
//!
//! | file | what it holds |
//! |---|---|
//! | `code` | the settings that shape compiled code, shared with the build script |
//! | `world` | the interfaces that a component can import, shared likewise |
//! | `load` | from a file, or from what is embedded, to a component |
//! | `grant` | the linker, and the variables that a component gets |
//! | `state` | what the host keeps for one instance |
//! | `respond` | one request through one instance |

mod code;
mod grant;
mod load;
mod respond;
mod state;
mod world;

use std::io;

use wasmtime::{Engine, InstanceAllocationStrategy, PoolingAllocationConfig};
use wasmtime_wasi_http::p2::bindings::ProxyPre;

use crate::error::Error;
use state::State;

pub use grant::Grant;
pub use load::{LoadError, Loaded, load};
pub use respond::Failure;
pub use world::{INTERFACES, is_granted};

/// How many instances may live at the same time. A guest runs without waiting for anything, so that there are seldom
/// more than there are cores.
const INSTANCES: u32 = 256;

/// Bytes of a linear memory that are cleared by hand when its instance ends, which is cheaper than giving the pages
/// back to the kernel and taking them anew. Holds the whole memory of the component that is built here.
const MEMORY_KEPT: usize = 256 * 1024;

/// Bytes of a table that are kept likewise.
const TABLE_KEPT: usize = 4 * 1024;

/// A component that is ready to answer requests under a grant.
pub struct Sandbox {
    component: ProxyPre<State>,
    grant: Grant,
}

/// Makes the engine.
///
/// # Errors
///
/// [`Error::System`] where the address space for the instances cannot be had.
pub fn engine() -> Result<Engine, Error> {
    let engine = code::config(env!("TARGET")).and_then(|mut config| {
        // A failure is one line of the log; the frames of a guest without symbols would not explain it.
        config.wasm_backtrace_max_frames(None);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
        Engine::new(&config)
    });
    let engine = engine.map_err(|error| io::Error::other(format!("{error:#}")));
    engine.map_err(Error::system("reserve the memory of the sandbox"))
}

fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(INSTANCES)
        .total_core_instances(INSTANCES * 4)
        .total_memories(INSTANCES)
        .total_tables(INSTANCES * 2)
        .total_stacks(INSTANCES)
        .max_memory_size(code::MEMORY_RESERVATION)
        .linear_memory_keep_resident(MEMORY_KEPT)
        .table_keep_resident(TABLE_KEPT);
    pool
}

impl Sandbox {
    /// Grants `grant` to a loaded component.
    ///
    /// # Errors
    ///
    /// [`LoadError`], when the component asks for more than the world names, or does not export the handler.
    pub fn new(loaded: &Loaded, grant: Grant) -> Result<Self, LoadError> {
        let component = loaded.link(grant::linker)?;
        Ok(Self { component, grant })
    }
}
