//! What the operator sees: events on standard error, one a line; JSON where a program reads them, text on a terminal.

use std::io::{self, IsTerminal};

/// Sends the events of this process to standard error from now on. Events that cannot be written are lost, and nothing
/// else: a collector of logs that goes away must not take the service with it.
pub fn start() {
    let events = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_target(false)
        .log_internal_errors(false);
    // Fails where events are sent somewhere already, which is then the wish of whoever embeds this.
    let _ = if io::stderr().is_terminal() {
        events.try_init()
    } else {
        events.json().flatten_event(true).try_init()
    };
}
