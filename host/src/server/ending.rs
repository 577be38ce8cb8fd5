//! How a connection comes to its end, as its two sides and its answers tell one another.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::problem::Rejection;

/// The end of one connection, as far as the host has decided on it.
#[derive(Default)]
pub(super) struct Ending {
    is_near: AtomicBool,
    rejection: OnceLock<Rejection>,
    is_ours: AtomicBool,
}

impl Ending {
    /// The service ends: the next answer is the last, and a request that does not come soon gets none.
    pub(super) fn call_last(&self) {
        self.is_near.store(true, Ordering::Relaxed);
    }

    /// Whether the service ends.
    pub(super) fn is_near(&self) -> bool {
        self.is_near.load(Ordering::Relaxed)
    }

    /// The head that is read now is rejected; none is read after it.
    pub(super) fn reject(&self, rejection: Rejection) {
        // It is the first.
        let _ = self.rejection.set(rejection);
    }

    /// Why the last head was rejected, once it was.
    pub(super) fn rejection(&self) -> Option<Rejection> {
        self.rejection.get().copied()
    }

    /// The answer that goes out now is the last, whatever the client still sends.
    pub(super) fn decide(&self) {
        self.is_ours.store(true, Ordering::Relaxed);
    }

    /// Whether it was the host that decided to end the connection.
    pub(super) fn is_ours(&self) -> bool {
        self.is_ours.load(Ordering::Relaxed)
    }
}
