//! SIGTERM and SIGINT.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal as Number};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long a signal may go unnoticed while the component compiles.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Bytes of stack for that, as many as the main thread usually has.
const STACK: usize = 8 * 1024 * 1024;

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

    /// Runs `work` on another thread, which ends with it; `None` if a signal arrives first.
    ///
    /// # Errors
    ///
    /// If the thread cannot be started.
    pub(crate) fn unless_signaled<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<Option<T>> {
        let (sender, receiver) = sync_channel(1);
        let thread = thread::Builder::new().name("load".to_owned()).stack_size(STACK);
        let thread = thread.spawn(move || sender.send(work()))?;
        loop {
            match receiver.recv_timeout(POLL_INTERVAL) {
                // Reading the signal is the only way to notice it: this thread blocks it.
                Err(RecvTimeoutError::Timeout) if self.is_pending() => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {}
                done => {
                    let _ = thread.join();
                    return Ok(done.ok());
                }
            }
        }
    }

    /// Whether a signal has arrived, which is then not delivered.
    fn is_pending(&self) -> bool {
        let signals = SignalFd::with_flags(&self.0, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC);
        signals.is_ok_and(|signals| signals.read_signal().is_ok_and(|signal| signal.is_some()))
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
