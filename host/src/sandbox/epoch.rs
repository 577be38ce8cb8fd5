//! Epoch interruption: a guest runs in time slices.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use tokio::task::yield_now;
use wasmtime::{Engine, Store, UpdateDeadline};

use super::wasi::StoreData;

/// The time between ticks. A usual request takes some ten microseconds.
const EPOCH_INTERVAL: Duration = Duration::from_millis(5);

/// Ticks of the first slice. One would be too few: it may come right after the start.
const FIRST_SLICE_TICKS: u64 = 2;

/// The number of ticks so far. wasmtime counts them too, but shows its counter only to compiled code.
#[derive(Clone, Debug, Default)]
pub(super) struct Ticks(Arc<AtomicU64>);

impl Ticks {
    /// Starts a dedicated thread, since guests may occupy all workers. It ends with the engine.
    pub(super) fn spawn_thread(&self, engine: &Engine) -> io::Result<()> {
        let (engine, ticks) = (engine.weak(), self.clone());
        let tick = move || {
            while let Some(engine) = engine.upgrade() {
                ticks.0.fetch_add(1, Relaxed);
                engine.increment_epoch();
                drop(engine);
                thread::sleep(EPOCH_INTERVAL);
            }
        };
        thread::Builder::new().name("epoch".to_owned()).spawn(tick)?;
        Ok(())
    }

    /// The first slice of a guest that starts now.
    pub(super) fn first_slice(&self) -> Slice {
        let end = self.0.load(Relaxed) + FIRST_SLICE_TICKS;
        Slice {
            ticks: self.clone(),
            end,
        }
    }
}

/// The time that a guest may run without a break. Compiled code checks it by the epoch, host functions by this.
#[derive(Debug)]
pub(super) struct Slice {
    ticks: Ticks,
    end: u64,
}

impl Slice {
    pub(super) fn is_over(&self) -> bool {
        self.ticks.0.load(Relaxed) >= self.end
    }

    /// Starts the next slice, of one tick.
    pub(super) fn renew(&mut self) {
        self.end = self.ticks.0.load(Relaxed) + 1;
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
