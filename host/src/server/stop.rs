//! The signals that end the service.

use std::io;

use nix::sys::signal::{SigSet, Signal as Number};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and SIGINT, held back: those that come are neither lost nor obeyed yet, which for process 1 of a container
/// they would be otherwise. Threads that are started now leave them to the first one.
pub(super) struct Held(SigSet);

/// SIGTERM and SIGINT, in the order in which they come.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Held {
    pub(super) fn new() -> io::Result<Self> {
        let set = SigSet::from_iter([Number::SIGTERM, Number::SIGINT]);
        set.thread_block()?;
        Ok(Self(set))
    }

    /// Lets them come, those that have come before first. Has to run on the thread that holds them, in a runtime.
    pub(super) fn release(self) -> io::Result<Signals> {
        let signals = Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        };
        self.0.thread_unblock()?;
        Ok(signals)
    }
}

impl Signals {
    /// Waits for the next of them and returns its name.
    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
