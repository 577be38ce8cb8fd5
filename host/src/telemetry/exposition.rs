//! All metrics as text, in the two formats that Prometheus and its relatives read.

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

/// What stands before the name of a metric.
const PREFIX: &str = "status_host";

/// The formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The text format of Prometheus, which every version of it reads.
    Prometheus,
    /// `OpenMetrics`, the standard that it became.
    OpenMetrics,
}

/// The metrics of this process.
#[derive(Debug, Default)]
pub struct Exposition {
    registry: Registry,
}

impl Exposition {
    /// Where the metrics of the host are registered, which have its name before their own.
    pub fn add_host(&mut self) -> &mut Registry {
        self.registry.sub_registry_with_prefix(PREFIX)
    }

    /// Where others are.
    pub fn registry(&mut self) -> &mut Registry {
        &mut self.registry
    }

    /// All of them, as they are now.
    #[must_use]
    pub fn text(&self, format: Format) -> String {
        let mut text = String::new();
        // Fails never: a string takes all that is written to it.
        let _ = encode(&mut text, &self.registry);
        match format {
            Format::OpenMetrics => text,
            Format::Prometheus => prometheus(&text),
        }
    }
}

impl Format {
    /// The media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The text format of Prometheus differs in how it speaks of a metric as a whole: by the name that its samples have, of
/// fewer types, and without units.
fn prometheus(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut help = None;
    for line in open_metrics.lines() {
        if let Some(line) = line.strip_prefix("# HELP ") {
            help = line.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|line| line.split_once(' ')) {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                kind => ("", kind),
            };
            if let Some((_, help)) = help.take() {
                text.extend(["# HELP ", name, suffix, " ", help, "\n"]);
            }
            text.extend(["# TYPE ", name, suffix, " ", kind, "\n"]);
        } else if !line.starts_with('#') {
            text.extend([line, "\n"]);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_format_names_a_metric_as_its_samples() {
        let open_metrics = "\
            # HELP a Counts # of a.\n# TYPE a counter\na_total{b=\"# TYPE a\"} 1\n\
            # HELP b_seconds B.\n# TYPE b_seconds histogram\n# UNIT b_seconds seconds\nb_seconds_sum 1.0\n\
            # HELP c C.\n# TYPE c info\nc_info{d=\"e\"} 1\n\
            # HELP f F.\n# TYPE f gauge\nf 1\n# EOF\n";
        let expected = "\
            # HELP a_total Counts # of a.\n# TYPE a_total counter\na_total{b=\"# TYPE a\"} 1\n\
            # HELP b_seconds B.\n# TYPE b_seconds histogram\nb_seconds_sum 1.0\n\
            # HELP c_info C.\n# TYPE c_info gauge\nc_info{d=\"e\"} 1\n\
            # HELP f F.\n# TYPE f gauge\nf 1\n";
        assert_eq!(prometheus(open_metrics), expected);
    }
}
