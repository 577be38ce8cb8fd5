//! What the operator sees: events on standard error, one a line; JSON where a program reads them, text on a terminal.

use std::io::{self, IsTerminal};

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};

/// Events that wait to be written. Those that come while so many wait are lost.
const WAITING: usize = 4096;

/// Sends the events of this process to standard error from now on, by way of a thread of their own. Events that cannot
/// be written are lost, and nothing else: a collector of logs that goes away, or takes its time, must not take the
/// service with it. What still waits is written when the guard is dropped, within a second.
#[must_use]
pub fn start() -> WorkerGuard {
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(WAITING)
        .thread_name("log")
        .finish(io::stderr());
    let events = tracing_subscriber::fmt()
        .with_writer(writer)
        .with_target(false)
        .log_internal_errors(false);
    // Fails where events are sent somewhere already, which is then the wish of whoever embeds this.
    let _ = if io::stderr().is_terminal() {
        events.try_init()
    } else {
        events.json().flatten_event(true).try_init()
    };
    guard
}
