//! Time: a guest runs in slices, and ends at its deadline.
//!
//! A thread counts ticks of the clock. Compiled code notices a tick at function entries and loop heads, where the guest
//! yields to other tasks. A host function cannot yield, so that it checks the deadline.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::task::yield_now;
use wasmtime::{Engine, Result, Store, UpdateDeadline, bail};

/// The time between ticks, and so the length of a slice. A usual request takes some ten microseconds.
const TICK: Duration = Duration::from_millis(2);

/// Ticks of the first slice. A usual guest has to end within it, even if its thread is preempted: one that yields keeps
/// its place among the running guests until all other tasks have run.
const FIRST_SLICE_TICKS: u64 = 5;

/// Ticks without a guest after which the thread parks. Waking it costs more than a usual request.
const IDLE_TICKS: u32 = 50;

/// The number of ticks so far, and of guests. wasmtime counts ticks too, but shows them only to compiled code.
#[derive(Debug, Default)]
pub(super) struct Clock {
    ticks: AtomicU64,
    guests: AtomicUsize,
    parked: AtomicBool,
    thread: OnceLock<Thread>,
}

/// The guest has reached its deadline.
#[derive(Debug, thiserror::Error)]
#[error("the deadline has passed")]
pub(super) struct DeadlinePassed;

/// The deadline of a guest that exists.
#[derive(Debug)]
pub(super) struct Deadline {
    clock: Arc<Clock>,
    at: Instant,
    /// The tick at which the time was last read.
    tick: u64,
}

impl Clock {
    /// Starts a dedicated thread, since guests may occupy all workers. It ends with the clock or the engine.
    pub(super) fn spawn_thread(self: &Arc<Self>, engine: &Engine) -> io::Result<()> {
        let (engine, clock) = (engine.weak(), Arc::downgrade(self));
        let count = move || {
            let mut idle_ticks = 0;
            while let (Some(engine), Some(clock)) = (engine.upgrade(), clock.upgrade()) {
                clock.thread.get_or_init(thread::current);
                clock.ticks.fetch_add(1, Relaxed);
                engine.increment_epoch();
                idle_ticks = if clock.guests() == 0 { idle_ticks + 1 } else { 0 };
                let parks = idle_ticks > IDLE_TICKS && clock.may_park();
                drop((engine, clock));
                if parks {
                    thread::park();
                    idle_ticks = 0;
                }
                thread::sleep(TICK);
            }
        };
        thread::Builder::new().name("epoch".to_owned()).spawn(count)?;
        Ok(())
    }

    /// The number of guests that exist.
    pub(super) fn guests(&self) -> usize {
        self.guests.load(SeqCst)
    }

    /// Registers a guest that ends at `at`.
    pub(super) fn start(self: &Arc<Self>, at: Instant) -> Deadline {
        self.guests.fetch_add(1, SeqCst);
        if self.parked.load(SeqCst) && self.parked.swap(false, SeqCst) {
            self.unpark();
        }
        let (clock, tick) = (Arc::clone(self), self.ticks.load(Relaxed));
        Deadline { clock, at, tick }
    }

    /// Either this sees a guest that starts meanwhile, or that guest sees `parked`.
    fn may_park(&self) -> bool {
        self.parked.store(true, SeqCst);
        self.guests() == 0
    }

    fn unpark(&self) {
        self.thread.get().map(Thread::unpark);
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        // The thread then ends.
        self.unpark();
    }
}

impl Deadline {
    /// Fails after the deadline. Reads the time only after a tick.
    pub(super) fn check(&mut self) -> Result<()> {
        let tick = self.clock.ticks.load(Relaxed);
        if tick != self.tick {
            self.tick = tick;
            if Instant::now() >= self.at {
                bail!(DeadlinePassed);
            }
        }
        Ok(())
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.clock.guests.fetch_sub(1, SeqCst);
    }
}

/// Makes the guest yield after its first slice, then at each tick. The executor then polls sockets, and other guests
/// run.
pub(super) fn yield_at_ticks<T>(store: &mut Store<T>) {
    store.set_epoch_deadline(FIRST_SLICE_TICKS);
    store.epoch_deadline_callback(|_| Ok(UpdateDeadline::YieldCustom(1, Box::pin(yield_now()))));
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// Waits for a condition, for minutes on a machine that is too busy.
    #[track_caller]
    fn wait_until(condition: impl Fn() -> bool) {
        let begin = Instant::now();
        while !condition() {
            assert!(begin.elapsed() < Duration::from_mins(2), "timed out");
            thread::sleep(TICK);
        }
    }

    #[test]
    fn thread_counts_only_while_a_guest_exists() {
        let (clock, engine) = (Arc::new(Clock::default()), Engine::default());
        clock.spawn_thread(&engine).unwrap();
        for _ in 0..3 {
            wait_until(|| clock.parked.load(SeqCst));
            let parked_at = clock.ticks.load(Relaxed);
            let mut deadline = clock.start(Instant::now());
            wait_until(|| clock.ticks.load(Relaxed) > parked_at);
            assert!(deadline.check().is_err());
        }
    }
}
