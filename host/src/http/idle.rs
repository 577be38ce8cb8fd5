//! Since when a connection is idle: it has no request in flight, and no response that waits to be written.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

/// The time at which a connection became idle. Requests and pending writes make it busy, also at the same time.
pub(super) struct IdleSince {
    busy: AtomicU32,
    /// Microseconds since the first call of [`micros_since_start`].
    since: AtomicU64,
}

impl IdleSince {
    /// A connection that was accepted now.
    pub(super) fn now() -> Self {
        Self {
            busy: AtomicU32::new(0),
            since: AtomicU64::new(micros_since_start()),
        }
    }

    pub(super) fn set_busy(&self) {
        self.busy.fetch_add(1, Relaxed);
    }

    /// Undoes one [`set_busy`](Self::set_busy).
    pub(super) fn set_idle(&self) {
        self.since.store(micros_since_start(), Relaxed);
        self.busy.fetch_sub(1, Relaxed);
    }

    /// The time on the clock of [`micros_since_start`]; `None` if the connection is busy.
    pub(super) fn since(&self) -> Option<u64> {
        let is_idle = self.busy.load(Relaxed) == 0;
        is_idle.then(|| self.since.load(Relaxed))
    }
}

pub(super) fn micros_since_start() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_is_busy_until_everything_on_it_has_ended() {
        let idle = IdleSince::now();
        assert!(idle.since().is_some());
        idle.set_busy();
        idle.set_busy();
        idle.set_idle();
        assert_eq!(idle.since(), None);
        idle.set_idle();
        assert!(idle.since().is_some());
    }
}
