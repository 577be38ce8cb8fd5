//! Epoch interruption: a guest that computes yields at every tick.

use std::io;
use std::thread;
use std::time::Duration;

use wasmtime::{Engine, Store, UpdateDeadline};

use super::store::StoreData;

/// The time between ticks. A usual request takes some twenty microseconds.
const EPOCH_INTERVAL: Duration = Duration::from_millis(5);

/// Starts a dedicated thread, since guests may occupy all workers. It ends with the engine.
pub(super) fn spawn_epoch_thread(engine: &Engine) -> io::Result<()> {
    let engine = engine.weak();
    let tick = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(EPOCH_INTERVAL);
        }
    };
    thread::Builder::new().name("epoch".to_owned()).spawn(tick)?;
    Ok(())
}

/// Makes the guest yield at its second tick, since the first may come right after its start, and at every later one.
/// The executor then polls sockets and timers, including the deadline of the request.
pub(super) fn yield_on_epoch(store: &mut Store<StoreData>) {
    store.set_epoch_deadline(2);
    store.epoch_deadline_callback(|_| Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now()))));
}
