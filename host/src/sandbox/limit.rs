//! What one instance may take of the machine.

use std::time::Duration;

use wasmtime::{ResourceLimiter, Result, bail};

/// The most elements of one table. The component that is built here has fewer than a hundred functions to hold.
const TABLE_LIMIT: usize = 10_000;

/// The most resources, such as headers and bodies, that one instance may hold at once. A request takes about ten.
pub(super) const RESOURCE_LIMIT: usize = 1_000;

/// Bytes that the headers of one request or response may take in memory, which is more than they take on the wire.
pub(super) const FIELDS_LIMIT: usize = 128 * 1024;

/// Bytes that may cross from the guest to the host in one call.
pub(super) const CALL_LIMIT: usize = 2 * 1024 * 1024;

/// What the operator allows.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long an instance may take for a request, the waiting for its turn included.
    pub timeout: Duration,
    /// Bytes of linear memory of one instance.
    pub memory: usize,
}

/// The limit that an instance was stopped by.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Limit {
    /// Linear memory.
    #[error("its memory would grow to {0} bytes, of which {1} are allowed (--max-memory)")]
    Memory(usize, usize),
    /// A table.
    #[error("a table would grow to {0} elements, of which {TABLE_LIMIT} are allowed")]
    Table(usize),
    /// Resources.
    #[error("it holds {RESOURCE_LIMIT} resources, and no more are allowed")]
    Resources,
}

/// Stops an instance that grows over a limit. To refuse the growth alone would leave it to the guest to go on.
pub(super) struct Growth {
    pub(super) memory: usize,
}

impl ResourceLimiter for Growth {
    fn memory_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        if desired > self.memory {
            bail!(Limit::Memory(desired, self.memory));
        }
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        if desired > TABLE_LIMIT {
            bail!(Limit::Table(desired));
        }
        Ok(true)
    }
}
