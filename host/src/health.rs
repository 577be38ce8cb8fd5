//! The state of the service that the probes `/livez` and `/readyz` report.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, interval};

const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(2);

/// The service runtime is stuck if it has not run the heartbeat for so long. A busy one runs it within milliseconds.
const MAX_SILENCE: Duration = Duration::from_secs(10);

/// What the service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Starting,
    Ready,
    Draining,
}

/// The phase, and the time of the last heartbeat; clones share them.
#[derive(Clone)]
pub(crate) struct Health {
    start: Instant,
    phase: Arc<AtomicU8>,
    /// Milliseconds since the start.
    last_heartbeat: Arc<AtomicU64>,
}

impl Health {
    /// A service that starts now.
    pub(crate) fn starting() -> Self {
        Self {
            start: Instant::now(),
            phase: Arc::new(AtomicU8::new(Phase::Starting as u8)),
            last_heartbeat: Arc::default(),
        }
    }

    pub(crate) fn set(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Ready,
            _ => Phase::Draining,
        }
    }

    /// Beats forever. Run it as a task, so that a worker thread has to be available.
    pub(crate) async fn beat(self) -> ! {
        let mut interval = interval(HEARTBEAT_INTERVAL);
        loop {
            interval.tick().await;
            self.last_heartbeat.store(self.elapsed_millis(), Ordering::Relaxed);
        }
    }

    /// Whether the last heartbeat was not long ago.
    pub(crate) fn is_alive(&self) -> bool {
        let last = self.last_heartbeat.load(Ordering::Relaxed);
        Duration::from_millis(self.elapsed_millis().saturating_sub(last)) < MAX_SILENCE
    }

    fn elapsed_millis(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
