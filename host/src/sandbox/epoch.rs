//! Epoch interruption: a guest runs in time slices.
//!
//! A thread counts them. It sleeps while no guest runs, so that an idle process does not wake up.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::Duration;

use tokio::task::yield_now;
use wasmtime::{Engine, Store, UpdateDeadline};

use super::wasi::StoreData;

/// The time between ticks. A usual request takes some ten microseconds.
const EPOCH_INTERVAL: Duration = Duration::from_millis(5);

/// Ticks of the first slice. One would be too few: it may come right after the start.
const FIRST_SLICE_TICKS: u64 = 2;

/// Ticks without a guest after which the thread sleeps. Waking it costs more than a usual request.
const IDLE_TICKS: u32 = 20;

/// The number of ticks so far. wasmtime counts them too, but shows its counter only to compiled code.
#[derive(Clone, Debug, Default)]
pub(super) struct Ticks(Arc<Ticker>);

#[derive(Debug, Default)]
struct Ticker {
    ticks: AtomicU64,
    /// Slices that exist, and so guests that run or wait to run.
    slices: AtomicUsize,
    sleeping: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Ticks {
    /// Starts a dedicated thread, since guests may occupy all workers. It ends with the engine.
    pub(super) fn spawn_thread(&self, engine: &Engine) -> io::Result<()> {
        let (engine, ticker) = (engine.weak(), Arc::downgrade(&self.0));
        let tick = move || {
            let mut idle_ticks = 0;
            while let (Some(engine), Some(ticker)) = (engine.upgrade(), ticker.upgrade()) {
                ticker.thread.get_or_init(thread::current);
                ticker.ticks.fetch_add(1, Relaxed);
                engine.increment_epoch();
                idle_ticks = if ticker.is_idle() { idle_ticks + 1 } else { 0 };
                let sleeps = idle_ticks > IDLE_TICKS && ticker.may_sleep();
                drop((engine, ticker));
                if sleeps {
                    thread::park();
                    idle_ticks = 0;
                } else {
                    thread::sleep(EPOCH_INTERVAL);
                }
            }
        };
        thread::Builder::new().name("epoch".to_owned()).spawn(tick)?;
        Ok(())
    }

    /// The first slice of a guest that starts now.
    pub(super) fn first_slice(&self) -> Slice {
        self.0.slices.fetch_add(1, SeqCst);
        self.0.wake();
        let end = self.0.ticks.load(Relaxed) + FIRST_SLICE_TICKS;
        Slice {
            ticker: Arc::clone(&self.0),
            end,
        }
    }
}

impl Ticker {
    fn is_idle(&self) -> bool {
        self.slices.load(SeqCst) == 0
    }

    /// Either this sees a slice that starts meanwhile, or that slice sees `sleeping`.
    fn may_sleep(&self) -> bool {
        self.sleeping.store(true, SeqCst);
        self.is_idle()
    }

    fn wake(&self) {
        if self.sleeping.load(SeqCst) && self.sleeping.swap(false, SeqCst) {
            self.unpark();
        }
    }

    fn unpark(&self) {
        self.thread.get().map(Thread::unpark);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        // The thread then ends.
        self.unpark();
    }
}

/// The time that a guest may run without a break. Compiled code checks it by the epoch, host functions by this.
#[derive(Debug)]
pub(super) struct Slice {
    ticker: Arc<Ticker>,
    end: u64,
}

impl Slice {
    pub(super) fn is_over(&self) -> bool {
        self.ticker.ticks.load(Relaxed) >= self.end
    }

    /// Starts the next slice, of one tick.
    pub(super) fn renew(&mut self) {
        self.end = self.ticker.ticks.load(Relaxed) + 1;
    }
}

impl Drop for Slice {
    fn drop(&mut self) {
        self.ticker.slices.fetch_sub(1, SeqCst);
    }
}

/// Ends the guest with a trap when its first slice is over.
pub(super) fn trap_after_first_slice(store: &mut Store<StoreData>) {
    store.set_epoch_deadline(FIRST_SLICE_TICKS);
}

/// Makes the guest yield when a slice is over. The executor then polls sockets and timers, including the deadline of
/// the request.
pub(super) fn yield_after_each_slice(store: &mut Store<StoreData>) {
    store.set_epoch_deadline(FIRST_SLICE_TICKS);
    store.epoch_deadline_callback(|mut store| {
        store.data_mut().slice.renew();
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(yield_now())))
    });
}
