//! The registry of all metrics, and its encoding as text.

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// The prefix of the host's metric names.
const PREFIX: &str = "status_host";

/// A label name and its value.
pub(super) type Label = [(&'static str, &'static str); 1];

/// A text format for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExpositionFormat {
    /// The Prometheus text format 0.0.4.
    Prometheus,
    /// `OpenMetrics` 1.0.0.
    OpenMetrics,
}

impl ExpositionFormat {
    #[must_use]
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// All metrics of this process.
#[derive(Debug, Default)]
pub struct MetricsRegistry {
    registry: Registry,
}

impl MetricsRegistry {
    /// The registry for metrics whose names start with `status_host_`.
    pub fn host_scope(&mut self) -> &mut Registry {
        self.registry.sub_registry_with_prefix(PREFIX)
    }

    /// The registry for metrics without a prefix.
    pub(crate) fn registry(&mut self) -> &mut Registry {
        &mut self.registry
    }

    /// Encodes the current values.
    #[must_use]
    pub(crate) fn encode(&self, format: ExpositionFormat) -> String {
        let mut text = String::new();
        // Writing to a string never fails.
        let _ = text::encode(&mut text, &self.registry);
        match format {
            ExpositionFormat::OpenMetrics => text,
            ExpositionFormat::Prometheus => to_prometheus(&text),
        }
    }
}

/// Registers a counter family with every label value, so that `rate()` sees the first increment.
pub(super) fn preregister(
    registry: &mut Registry,
    name: &str,
    help: &str,
    labels: impl IntoIterator<Item = Label>,
) -> Family<Label, Counter> {
    let family = Family::<Label, Counter>::default();
    for label in labels {
        drop(family.get_or_create(&label));
    }
    registry.register(name, help, family.clone());
    family
}

/// Converts `OpenMetrics` text to the Prometheus text format.
///
/// Only the metadata differs: in the Prometheus format it carries the sample name (`_total`, `_info`), an info metric
/// has the type gauge, and there are no units and no end marker.
fn to_prometheus(open_metrics: &str) -> String {
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
    fn prometheus_metadata_uses_sample_names() {
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
        assert_eq!(to_prometheus(open_metrics), expected);
    }
}
