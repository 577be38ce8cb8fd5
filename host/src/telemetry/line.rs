//! One event of the log as a line of JSON, with the names that Google Cloud Logging knows
//! (<https://cloud.google.com/logging/docs/structured-logging>); others ignore them.

use std::fmt::{self, Debug};
use std::time::SystemTime;

use humantime::format_rfc3339_micros;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Where the fields of a request are put together.
const HTTP_REQUEST: &str = "httpRequest";

/// Writes events as lines of JSON.
pub(super) struct Json {
    /// What stands before the identifier of a trace to make it the name of one.
    pub(super) traces: String,
}

/// The fields of an event.
struct Fields<'a> {
    line: Map<String, Value>,
    traces: &'a str,
}

impl Fields<'_> {
    fn insert(&mut self, name: &str, value: Value) {
        match name.split_once('.') {
            Some((HTTP_REQUEST, name)) => {
                let request = self.line.entry(HTTP_REQUEST).or_insert_with(|| Map::new().into());
                if let Some(request) = request.as_object_mut() {
                    request.insert(name.to_owned(), value);
                }
            }
            _ => drop(self.line.insert(name.to_owned(), value)),
        }
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.insert(field.name(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "trace" => self.insert("logging.googleapis.com/trace", format!("{}{value}", self.traces).into()),
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

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields {
            line: Map::new(),
            traces: &self.traces,
        };
        fields.insert("time", format_rfc3339_micros(SystemTime::now()).to_string().into());
        fields.insert("severity", severity(*event.metadata().level()).into());
        event.record(&mut fields);
        writeln!(writer, "{}", Value::from(fields.line))
    }
}

fn severity(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        _ => "DEBUG",
    }
}
