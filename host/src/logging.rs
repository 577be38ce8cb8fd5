//! The log: events on standard error, one per line, as text or as JSON.
//!
//! A dedicated thread writes them. `tracing-appender` works the same way, but prints to standard output when its thread
//! does not finish in time, and that panics if standard output is closed.

use std::fmt::{self, Debug};
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, SystemTime};

use humantime::format_rfc3339_micros;
use prometheus_client::metrics::counter::Counter;
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber, warn};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

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
pub(crate) struct Settings<'a> {
    pub(crate) format: Format,
    /// As in `RUST_LOG`: a level, or a list of targets with their levels. Empty stands for info.
    pub(crate) levels: &'a str,
    /// The project that traces belong to, for links from log entries. An empty name counts as none.
    pub(crate) google_cloud_project: Option<&'a str>,
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
/// not stop the service.
///
/// # Errors
///
/// If the thread cannot be started.
pub(crate) fn start(settings: &Settings<'_>, dropped_events: Counter) -> io::Result<LogGuard> {
    let (sender, receiver) = sync_channel(QUEUE_CAPACITY);
    let unwritten_events = dropped_events.clone();
    thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || write_events(receiver, &unwritten_events))?;
    let writer = LogWriter { sender, dropped_events };
    let guard = LogGuard(writer.clone());
    let (levels, is_valid) = match settings.levels.parse::<Targets>() {
        // A shell exports an unset variable as an empty one.
        _ if settings.levels.is_empty() => (Targets::new(), true),
        Ok(levels) => (levels, true),
        // `RUST_LOG` is often set for a whole cluster, in the syntax of another program.
        Err(_) => (Targets::new(), false),
    };
    // Without a level for all targets, most events would be lost.
    let levels = match levels.default_level() {
        Some(_) => levels,
        None => levels.with_default(LevelFilter::INFO),
    };
    let registry = tracing_subscriber::registry().with(levels);
    let events = tracing_subscriber::fmt::layer()
        .with_writer(move || writer.clone())
        .with_target(false)
        .with_ansi(false)
        .log_internal_errors(false);
    // Fails if a program that embeds the host has installed a subscriber, which then stays in use.
    let _ = match settings.format {
        Format::Text => registry.with(events).try_init(),
        Format::Json => {
            let format = CloudLoggingFormat::new(settings.google_cloud_project);
            registry.with(events.event_format(format)).try_init()
        }
    };
    if !is_valid {
        let value = settings.levels;
        warn!(value, "RUST_LOG or --log-level is invalid; logging at level info");
    }
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

/// The object that collects the fields of a request
/// (<https://cloud.google.com/logging/docs/structured-logging>).
const HTTP_REQUEST: &str = "httpRequest";

/// The field that links an entry to its trace.
const TRACE: &str = "logging.googleapis.com/trace";

/// Formats each event as a JSON object on one line.
pub(super) struct CloudLoggingFormat {
    /// Turns a trace ID into a resource name: `projects/PROJECT/traces/`, or empty if the project is unknown.
    trace_prefix: String,
}

impl CloudLoggingFormat {
    /// An empty project name counts as none.
    pub(super) fn new(project: Option<&str>) -> Self {
        let project = project.filter(|project| !project.is_empty());
        let trace_prefix = project.map(|project| format!("projects/{project}/traces/"));
        Self {
            trace_prefix: trace_prefix.unwrap_or_default(),
        }
    }
}

/// Collects the fields of one event.
struct FieldVisitor<'a> {
    entry: Map<String, Value>,
    trace_prefix: &'a str,
}

impl FieldVisitor<'_> {
    fn insert(&mut self, name: &str, value: Value) {
        match name.split_once('.') {
            Some((HTTP_REQUEST, name)) => {
                let request = self.entry.entry(HTTP_REQUEST).or_insert_with(|| Map::new().into());
                if let Some(request) = request.as_object_mut() {
                    request.insert(name.to_owned(), value);
                }
            }
            _ => drop(self.entry.insert(name.to_owned(), value)),
        }
    }
}

impl Visit for FieldVisitor<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.insert(field.name(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "trace" => self.insert(TRACE, format!("{}{value}", self.trace_prefix).into()),
            name => self.insert(name, value.into()),
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field.name(), value.into());
    }
}

impl<S, N> FormatEvent<S, N> for CloudLoggingFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut visitor = FieldVisitor {
            entry: Map::new(),
            trace_prefix: &self.trace_prefix,
        };
        visitor.insert("time", format_rfc3339_micros(SystemTime::now()).to_string().into());
        visitor.insert("severity", severity(*event.metadata().level()).into());
        event.record(&mut visitor);
        writeln!(writer, "{}", Value::from(visitor.entry))
    }
}

/// An error outside of the log, as an event on one line.
#[must_use]
pub fn json_error(message: &str) -> String {
    let time = format_rfc3339_micros(SystemTime::now()).to_string();
    json!({"time": time, "severity": severity(Level::ERROR), "message": message}).to_string()
}

fn severity(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        _ => "DEBUG",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::sync::Arc;

    use tracing::error;
    use tracing::subscriber::with_default;

    use super::*;

    /// What `log` writes.
    fn written(project: Option<&str>, log: impl FnOnce()) -> String {
        let (reader, writer) = io::pipe().unwrap();
        let events = tracing_subscriber::fmt::layer()
            .event_format(CloudLoggingFormat::new(project))
            .with_writer(Arc::new(writer));
        with_default(tracing_subscriber::registry().with(events), log);
        io::read_to_string(reader).unwrap()
    }

    #[test]
    fn event_is_one_line_of_json_with_nested_request_and_linked_trace() {
        for (project, trace) in [(None, "abc"), (Some(""), "abc"), (Some("my"), "projects/my/traces/abc")] {
            let line = written(project, || {
                error!(httpRequest.status = 200, trace = "abc", flag = true, "first\nsecond");
            });
            let mut entry: Value = serde_json::from_str(line.strip_suffix('\n').unwrap()).unwrap();
            assert!(!line.trim_end().contains('\n'), "{line}");
            let time = entry.as_object_mut().unwrap().remove("time").unwrap();
            assert!(humantime::parse_rfc3339(time.as_str().unwrap()).is_ok(), "{time}");
            let expected = json!({
                "severity": "ERROR",
                "message": "first\nsecond",
                "httpRequest": {"status": 200},
                "logging.googleapis.com/trace": trace,
                "flag": true,
            });
            assert_eq!(entry, expected);
        }
    }

    #[test]
    fn event_over_the_queue_is_dropped_and_counted() {
        let (sender, _receiver) = sync_channel(1);
        let dropped_events = Counter::default();
        let mut writer = LogWriter {
            sender,
            dropped_events: dropped_events.clone(),
        };
        for dropped in [0, 1, 2] {
            writer.write_all(b"event\n").unwrap();
            assert_eq!(dropped_events.get(), dropped);
        }
    }
}
