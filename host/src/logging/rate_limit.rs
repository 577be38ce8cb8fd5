//! Limits the rate of each warning and error: a client can cause one with every request.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use tracing::callsite::Identifier;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Events of one message in each window. Further ones are suppressed.
const MAX_EVENTS: u32 = 32;
const WINDOW: Duration = Duration::from_secs(1);

/// Suppresses events over the limit, and counts them.
pub(super) struct RateLimit {
    windows: Mutex<HashMap<Identifier, Window>>,
    suppressed: Counter,
}

struct Window {
    start: Instant,
    events: u32,
}

impl RateLimit {
    pub(super) fn new(suppressed: Counter) -> Self {
        Self {
            windows: Mutex::default(),
            suppressed,
        }
    }
}

impl Window {
    fn admit(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.start) >= WINDOW {
            (self.start, self.events) = (now, 0);
        }
        self.events += 1;
        self.events <= MAX_EVENTS
    }
}

impl<S: Subscriber> Layer<S> for RateLimit {
    fn event_enabled(&self, event: &Event<'_>, _context: Context<'_, S>) -> bool {
        // The access log has its own fraction, and lower levels are off unless they are wanted.
        if *event.metadata().level() > Level::WARN {
            return true;
        }
        let now = Instant::now();
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows
            .entry(event.metadata().callsite())
            .or_insert(Window { start: now, events: 0 });
        let is_admitted = window.admit(now);
        self.suppressed.inc_by(u64::from(!is_admitted));
        is_admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_over_the_limit_are_suppressed_until_the_next_window() {
        let start = Instant::now();
        let mut window = Window { start, events: 0 };
        let admitted = (0..1000).filter(|_| window.admit(start + WINDOW / 2)).count();
        assert_eq!(admitted, 32);
        assert!(window.admit(start + WINDOW));
        assert!(window.admit(start), "time may stand still, but not panic");
    }
}
