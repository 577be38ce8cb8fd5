//! The beat of the service runtime, which `/livez` reports.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::time::interval;

const INTERVAL: Duration = Duration::from_secs(2);

/// The runtime is stuck if it has not run the beat for so long. A busy one runs it within milliseconds.
const MAX_SILENCE: Duration = Duration::from_secs(10);

/// The time of the last beat; clones share it.
#[derive(Clone)]
pub(crate) struct Heartbeat {
    start: Instant,
    /// Milliseconds since the start.
    last: Arc<AtomicU64>,
}

impl Heartbeat {
    /// A heartbeat that begins now.
    pub(crate) fn start() -> Self {
        Self {
            start: Instant::now(),
            last: Arc::default(),
        }
    }

    /// Beats forever. Run it as a task, so that a worker thread has to be available.
    pub(crate) async fn beat(self) -> ! {
        let mut interval = interval(INTERVAL);
        loop {
            interval.tick().await;
            self.last.store(self.elapsed_millis(), Ordering::Relaxed);
        }
    }

    /// Whether the last beat was not long ago.
    pub(crate) fn is_alive(&self) -> bool {
        let silence = self.elapsed_millis().saturating_sub(self.last.load(Ordering::Relaxed));
        Duration::from_millis(silence) < MAX_SILENCE
    }

    fn elapsed_millis(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
