//! The clock of the sandbox: it ticks, and guests that compute through a tick let others have their turn.

use std::io;
use std::thread;
use std::time::Duration;

use wasmtime::{Engine, Store, UpdateDeadline};

use super::state::State;

/// How often guests that compute have to let others have their turn. A request takes some twenty microseconds.
const TICK: Duration = Duration::from_millis(5);

/// Starts the clock of `engine`, on a thread of its own: guests may have taken all others. It ends with the engine.
pub(super) fn start(engine: &Engine) -> io::Result<()> {
    let engine = engine.weak();
    let tick = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    };
    thread::Builder::new().name("epoch".to_owned()).spawn(tick)?;
    Ok(())
}

/// Makes the guest of `store` give way, at each tick from its second on: the first may come when it has hardly begun, and
/// one that waits for its next turn holds its instance. The executor then looks at sockets and timers first, the timer
/// of the request's deadline among them.
pub(super) fn give_way(store: &mut Store<State>) {
    store.set_epoch_deadline(2);
    store.epoch_deadline_callback(|_| Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now()))));
}
