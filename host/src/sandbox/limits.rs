//! The limits of one instance.

use std::time::Duration;

use wasmtime::{ResourceLimiter, Result, bail};

/// Elements of one table. The embedded component has fewer than a hundred functions.
const MAX_TABLE_ELEMENTS: usize = 10_000;

/// Resources, such as headers and bodies, that exist at the same time. A usual request has about ten.
pub(super) const MAX_RESOURCES: usize = 1_000;

/// Bytes of one list of headers in memory, which is more than on the wire.
pub(super) const MAX_FIELDS_BYTES: usize = 128 * 1024;

/// Bytes that one call copies from the guest to the host.
pub(super) const HOSTCALL_FUEL: usize = 128 * 1024;

/// Bytes of a response body.
pub(super) const MAX_BODY_BYTES: usize = 1024 * 1024;

/// The limits that are configurable.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time for one request, including waiting for a worker thread.
    pub timeout: Duration,
    /// Bytes of linear memory, and bytes that the host holds for the guest.
    pub memory: usize,
}

/// The limit that stopped an instance.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LimitExceeded {
    /// Bytes of all linear memories.
    #[error("its memory would grow to {desired} bytes, more than {max} (--max-memory)")]
    Memory {
        /// Bytes that it would have.
        desired: usize,
        /// Bytes that it may have.
        max: usize,
    },
    /// Bytes that the host holds for it: headers, bodies and other resources.
    #[error("the host would hold {desired} bytes for it, more than {max} (--max-memory)")]
    HostMemory {
        /// Bytes that the host would hold.
        desired: usize,
        /// Bytes that it may hold.
        max: usize,
    },
    /// Elements of a table.
    #[error("a table would grow to {desired} elements, more than {MAX_TABLE_ELEMENTS}")]
    Table {
        /// Elements that it would have.
        desired: usize,
    },
    /// Too many resources at the same time.
    #[error("it would hold more than {MAX_RESOURCES} resources")]
    Resources,
    /// A list of headers that is too large.
    #[error("a list of headers would have more than {MAX_FIELDS_BYTES} bytes")]
    Fields,
    /// A response body that is too large.
    #[error("its response body would have more than {MAX_BODY_BYTES} bytes")]
    ResponseBody,
}

/// Stops an instance that grows beyond a limit, instead of only failing its `memory.grow`.
pub(super) struct GrowthLimiter {
    /// Bytes of all linear memories.
    memory: usize,
    max_memory: usize,
}

impl GrowthLimiter {
    pub(super) fn new(max_memory: usize) -> Self {
        Self { memory: 0, max_memory }
    }
}

impl ResourceLimiter for GrowthLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        let total = self.memory.saturating_sub(current).saturating_add(desired);
        if total > self.max_memory {
            let (desired, max) = (total, self.max_memory);
            bail!(LimitExceeded::Memory { desired, max });
        }
        // Beyond its own maximum a memory does not grow, so that this does not count.
        let grows = maximum.is_none_or(|maximum| desired <= maximum);
        if grows {
            self.memory = total;
        }
        Ok(grows)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        if desired > MAX_TABLE_ELEMENTS {
            bail!(LimitExceeded::Table { desired });
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_of_an_instance_are_limited_in_total() {
        let mut limiter = GrowthLimiter::new(10);
        assert!(limiter.memory_growing(0, 3, None).is_ok_and(|grows| grows));
        assert!(limiter.memory_growing(0, 4, Some(5)).is_ok_and(|grows| grows));
        assert!(limiter.memory_growing(4, 6, Some(5)).is_ok_and(|grows| !grows));
        assert!(limiter.memory_growing(3, 7, None).is_err());
        assert!(limiter.memory_growing(3, 6, None).is_ok_and(|grows| grows));
    }
}
