//! What the operator sees: events on standard error, one a line; JSON where a program reads them, text on a terminal.

use std::io::{self, IsTerminal};

/// Sends the events of this process to standard error from now on.
pub fn start() {
    let events = tracing_subscriber::fmt().with_writer(io::stderr).with_target(false);
    if io::stderr().is_terminal() {
        events.init();
    } else {
        events.json().flatten_event(true).init();
    }
}
