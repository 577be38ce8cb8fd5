//! Waiting for a condition.

use std::thread;
use std::time::{Duration, Instant};

/// The limit of every wait. Minutes, so that only a failure reaches it.
pub const TEST_TIMEOUT: Duration = Duration::from_mins(2);

/// Repeats `attempt` until it returns a value.
#[track_caller]
pub fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(begin.elapsed() < TEST_TIMEOUT, "timed out: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until `condition` holds.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    eventually(what, || condition().then_some(()));
}
