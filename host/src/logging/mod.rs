//! The log: events on standard error, one per line, as text or as JSON.
//!
//! A dedicated thread writes them. `tracing-appender` works the same way, but prints to standard output when its thread
//! does not finish in time, and that panics if standard output is closed.

mod cloud_json;
mod rate_limit;
mod sampler;
mod trace_context;

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use cloud_json::CloudLoggingFormat;
use rate_limit::RateLimit;

pub use cloud_json::json_error;
pub use sampler::Sampler;
pub(crate) use trace_context::TraceContext;

/// The number of events that can wait to be written. Events that arrive while the queue is full are dropped.
const QUEUE_CAPACITY: usize = 4096;

/// The time limit for writing queued events at exit.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The form of a log event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// A JSON object with the field names of Google Cloud Logging.
    Json,
    Text,
}

/// Which events are logged, and in which form.
pub(crate) struct Settings {
    pub(crate) format: Format,
    pub(crate) levels: Targets,
    /// The project that traces belong to, for links from log entries. An empty name counts as none.
    pub(crate) google_cloud_project: Option<String>,
}

enum Message {
    /// One formatted event.
    Event(Vec<u8>),
    /// Requests a signal once every earlier event is written.
    Flush(SyncSender<()>),
}

/// Queues events for the log thread.
#[derive(Clone)]
struct LogWriter {
    sender: SyncSender<Message>,
    dropped_events: Counter,
}

/// Flushes the queue when it is dropped, within one second.
pub(crate) struct LogGuard(LogWriter);

/// Starts the log thread and installs the log as the global subscriber.
///
/// Events that cannot be written are dropped and counted in `dropped_events`: a log collector that stalls or exits must
/// not stop the service. Those over the rate limit are counted in `suppressed`.
///
/// # Errors
///
/// If the thread cannot be started.
pub(crate) fn start(settings: Settings, dropped_events: Counter, suppressed: Counter) -> io::Result<LogGuard> {
    let (sender, receiver) = sync_channel(QUEUE_CAPACITY);
    let unwritten_events = dropped_events.clone();
    thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || write_events(receiver, &unwritten_events))?;
    let writer = LogWriter { sender, dropped_events };
    let guard = LogGuard(writer.clone());
    let events = fmt::layer()
        .with_writer(move || writer.clone())
        .with_target(false)
        .with_ansi(false)
        .log_internal_errors(false);
    let levels = tracing_subscriber::registry()
        .with(settings.levels)
        .with(RateLimit::new(suppressed));
    // Fails if a program that embeds the host has installed a subscriber, which then stays in use.
    let _ = match settings.format {
        Format::Text => levels.with(events).try_init(),
        Format::Json => {
            let format = CloudLoggingFormat::new(settings.google_cloud_project.as_deref());
            levels.with(events.event_format(format)).try_init()
        }
    };
    Ok(guard)
}

fn write_events(messages: Receiver<Message>, dropped_events: &Counter) {
    for message in messages {
        match message {
            Message::Event(event) => {
                if io::stderr().write_all(&event).is_err() {
                    dropped_events.inc();
                }
            }
            Message::Flush(written) => drop(written.send(())),
        }
    }
}

impl Write for LogWriter {
    /// Queues `event`, which is a whole event because the `fmt` layer formats each one into a buffer first.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        if self.sender.try_send(Message::Event(event.to_vec())).is_err() {
            self.dropped_events.inc();
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        let (sender, written) = sync_channel(1);
        // A full queue means that standard error is blocked: waiting would not help.
        if self.0.sender.try_send(Message::Flush(sender)).is_ok() {
            let _ = written.recv_timeout(FLUSH_TIMEOUT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_is_dropped_when_queue_is_full() {
        let (sender, receiver) = sync_channel(1);
        let dropped_events = Counter::default();
        let mut writer = LogWriter {
            sender,
            dropped_events: dropped_events.clone(),
        };
        for event in [b"first", b"other"] {
            assert_eq!(writer.write(event).ok(), Some(5));
        }
        assert!(writer.flush().is_ok());
        drop(writer);
        let events: Vec<_> = receiver.into_iter().collect();
        assert!(matches!(&events[..], [Message::Event(event)] if event == b"first"));
        assert_eq!(dropped_events.get(), 1);
    }
}
