//! Log events as JSON, with the field names of Google Cloud Logging
//! (<https://cloud.google.com/logging/docs/structured-logging>). Other log collectors treat them as ordinary fields.

use std::fmt::{self, Debug};
use std::time::SystemTime;

use humantime::format_rfc3339_micros;
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The object that collects the fields of a request.
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
