//! The limits of one request.
//!
//! Those that are constants multiply to a bound on the memory that the host holds for a guest, beside the linear memory
//! and the request. Nothing has to be accounted for when it is released:
//!
//! | what | at most | bytes |
//! |---|---|---|
//! | lists of fields | [`MAX_RESOURCES`], each of [`MAX_FIELDS`] and [`MAX_FIELDS_BYTES`] | 100 × 64 KiB with the tables of a map |
//! | bodies of responses | [`MAX_BODY_BYTES`] in total, in vectors that double | 3 MiB |
//! | tables | [`MAX_TABLE_ELEMENTS`] in total | 80 KB |
//! | stack | one | 512 KiB |
//! | arguments and results of a call | [`HOSTCALL_FUEL`] | 1 MiB |

use std::time::Duration;

use wasmtime::{ResourceLimiter, Result, bail};

/// Elements of all tables. The embedded component has fewer than a hundred functions.
const MAX_TABLE_ELEMENTS: usize = 10_000;

/// Resources, such as lists of fields and streams, that exist at the same time, and bodies of responses in total. A
/// usual request has about ten.
pub(super) const MAX_RESOURCES: usize = 100;

/// Handles in all instances of the component. A composed component has some for resources that it defines itself.
pub(super) const MAX_HANDLES: usize = 1_000;

/// Fields of one list, and bytes of their names and values.
pub(super) const MAX_FIELDS: usize = 100;
pub(super) const MAX_FIELDS_BYTES: usize = 16 * 1024;

/// Bytes that one call copies from the guest to the host.
pub(super) const HOSTCALL_FUEL: usize = 128 * 1024;

/// Bytes of all bodies of responses.
pub(super) const MAX_BODY_BYTES: usize = 1024 * 1024;

/// The limits that are configurable.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time for one request, including waiting for other guests.
    pub timeout: Duration,
    /// Bytes of all linear memories of one instance.
    pub memory: usize,
    /// Guests that run at a time.
    pub running: u32,
    /// Further requests that may wait for one of them to end.
    pub waiting: u32,
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
    /// Elements of all tables.
    #[error("its tables would grow to {0} elements, more than {MAX_TABLE_ELEMENTS}")]
    Table(usize),
    /// Too many resources at the same time.
    #[error("it would hold more than {MAX_RESOURCES} resources")]
    Resources,
    /// A list of fields, such as headers, that is too large.
    #[error("a list of fields would have more than {MAX_FIELDS} fields or {MAX_FIELDS_BYTES} bytes")]
    Fields,
    /// Bodies that are too large.
    #[error("its response bodies would have more than {MAX_BODY_BYTES} bytes")]
    Body,
}

/// Stops an instance that grows beyond a limit, instead of only failing its `memory.grow`.
pub(super) struct GrowthLimiter {
    memory: usize,
    max_memory: usize,
    table_elements: usize,
}

impl GrowthLimiter {
    pub(super) fn new(max_memory: usize) -> Self {
        Self {
            memory: 0,
            max_memory,
            table_elements: 0,
        }
    }
}

impl ResourceLimiter for GrowthLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        let max = self.max_memory;
        grow(&mut self.memory, current, desired, maximum, max, |desired| {
            LimitExceeded::Memory { desired, max }
        })
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        let (total, max) = (&mut self.table_elements, MAX_TABLE_ELEMENTS);
        grow(total, current, desired, maximum, max, LimitExceeded::Table)
    }
}

/// Adds the growth of one memory or table to the `total` of all.
fn grow(
    total: &mut usize,
    current: usize,
    desired: usize,
    maximum: Option<usize>,
    max: usize,
    exceeded: impl FnOnce(usize) -> LimitExceeded,
) -> Result<bool> {
    // Beyond its own maximum it does not grow, so that this does not count.
    if maximum.is_some_and(|maximum| desired > maximum) {
        return Ok(false);
    }
    let grown = total.saturating_sub(current).saturating_add(desired);
    if grown > max {
        bail!(exceeded(grown));
    }
    *total = grown;
    Ok(true)
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
