//! The budget of host memory of one instance, in total over all its resources.

use wasmtime::{Result, bail};

use crate::sandbox::limits::LimitExceeded;

/// Bytes that the host holds for the guest.
#[derive(Debug)]
pub(super) struct MemoryBudget {
    used: usize,
    max: usize,
}

impl MemoryBudget {
    pub(super) fn new(max: usize) -> Self {
        Self { used: 0, max }
    }

    /// Counts `bytes`, before they are allocated.
    pub(super) fn charge(&mut self, bytes: usize) -> Result<()> {
        let (desired, max) = (self.used.saturating_add(bytes), self.max);
        if desired > max {
            bail!(LimitExceeded::HostMemory { desired, max });
        }
        self.used = desired;
        Ok(())
    }

    /// Gives back what was charged.
    pub(super) fn release(&mut self, bytes: usize) {
        self.used = self.used.saturating_sub(bytes);
    }
}
