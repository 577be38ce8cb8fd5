//! Whether a connection waits for a request, and since when. Its reader writes that; the acceptor may close it
//! meanwhile.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::AcqRel, Ordering::Acquire};
use std::time::{Duration, Instant};

/// Values that are not a time.
const BUSY: u64 = 0;
const CLOSED: u64 = u64::MAX;

/// Microseconds since shortly before the start of the process, [`BUSY`], or [`CLOSED`].
pub(super) struct IdleSince(AtomicU64);

impl IdleSince {
    /// A connection that has been accepted now.
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(micros(Instant::now())))
    }

    /// The connection waits for a request.
    pub(super) fn begin(&self, now: Instant) {
        let _ = self.0.compare_exchange(BUSY, micros(now), AcqRel, Acquire);
    }

    /// A request begins. Returns whether the connection is still open.
    pub(super) fn end(&self) -> bool {
        let since = self.0.load(Acquire);
        since != CLOSED && (since == BUSY || self.0.compare_exchange(since, BUSY, AcqRel, Acquire).is_ok())
    }

    /// How long the connection has been idle, and a value for [`IdleSince::close`]; `None` if it is not.
    pub(super) fn duration(&self, now: Instant) -> Option<(Duration, u64)> {
        let since = self.0.load(Acquire);
        let is_idle = since != BUSY && since != CLOSED;
        is_idle.then(|| (Duration::from_micros(micros(now).saturating_sub(since)), since))
    }

    /// Closes the connection, if it is still idle since then.
    pub(super) fn close(&self, since: u64) -> bool {
        self.0.compare_exchange(since, CLOSED, AcqRel, Acquire).is_ok()
    }
}

fn micros(time: Instant) -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let elapsed = time.saturating_duration_since(*START).as_micros();
    u64::try_from(elapsed).unwrap_or(CLOSED - 2) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_is_closed_only_while_it_is_idle() {
        let (idle, now) = (IdleSince::new(), Instant::now());
        let since = idle.duration(now).map(|(_, since)| since).unwrap_or_default();
        assert!(idle.end() && idle.end());
        assert!(idle.duration(now).is_none() && !idle.close(since));
        idle.begin(now);
        let later = idle.duration(now + Duration::from_secs(1));
        let (duration, since) = later.unwrap_or_default();
        assert!(duration >= Duration::from_millis(999), "{duration:?}");
        assert!(idle.close(since) && !idle.close(since));
        assert!(idle.duration(now).is_none() && !idle.end());
    }
}
