//! Whether the service takes requests: said by the server, asked by whoever sends them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Where the service is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It is not there yet.
    Starting,
    /// It takes requests.
    Ready,
    /// It takes no more.
    Draining,
}

/// The phase that the service is in, shared by all clones.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicU8>);

impl Readiness {
    /// From now on the service is in `phase`.
    pub fn set(&self, phase: Phase) {
        self.0.store(phase as u8, Ordering::Release);
    }

    /// The phase.
    #[must_use]
    pub fn get(&self) -> Phase {
        match self.0.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Ready,
            _ => Phase::Draining,
        }
    }
}
