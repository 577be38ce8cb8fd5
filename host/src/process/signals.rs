//! SIGTERM and SIGINT.

use std::io;

use nix::sys::signal::{SigSet, Signal as Number};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and SIGINT, blocked in this thread and in those that it starts. A signal that arrives stays pending:
/// process 1 of a container would otherwise lose it.
pub(crate) struct BlockedSignals(SigSet);

/// SIGTERM and SIGINT, delivered one at a time.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl BlockedSignals {
    pub(crate) fn block() -> io::Result<Self> {
        let set = SigSet::from_iter([Number::SIGTERM, Number::SIGINT]);
        set.thread_block()?;
        Ok(Self(set))
    }

    /// Delivers pending signals, then later ones. Call it in a runtime, on the thread that blocked them.
    pub(crate) fn unblock(self) -> io::Result<Signals> {
        // The handlers first: the default action would end the process.
        let signals = Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        };
        self.0.thread_unblock()?;
        Ok(signals)
    }
}

impl Signals {
    /// Waits for the next signal and returns its name.
    pub(crate) async fn recv(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
