//! Which format of metrics a client wants (RFC 9110 section 12.5.1).

use http::HeaderMap;
use http::header::ACCEPT;
use mediatype::names::{self, APPLICATION, PLAIN};
use mediatype::{MediaType, MediaTypeList, Name, ReadParams};

use crate::telemetry::Format;

const OPEN_METRICS: MediaType = MediaType::new(APPLICATION, Name::new_unchecked("openmetrics-text"));
const TEXT: MediaType = MediaType::new(names::TEXT, PLAIN);

/// What is sent for these headers of a request: `OpenMetrics` where it is named and not liked less, else the text format,
/// which whoever asks by hand can read as well.
pub(super) fn format(headers: &HeaderMap) -> Format {
    let (mut open_metrics, mut text) = (0.0, 0.0);
    let lines = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    for range in lines.flat_map(MediaTypeList::new).flatten() {
        // Parameters apart: names are compared whatever their case.
        let essence = range.essence();
        if essence == OPEN_METRICS && is_version(&range, "1.0.0") {
            open_metrics = quality(&range).max(open_metrics);
        } else if essence == TEXT && is_version(&range, "0.0.4") {
            text = quality(&range).max(text);
        }
    }
    if open_metrics > 0.0 && open_metrics >= text {
        Format::OpenMetrics
    } else {
        Format::Prometheus
    }
}

fn is_version(range: &MediaType, known: &str) -> bool {
    parameter(range, "version").is_none_or(|version| version == known)
}

fn quality(range: &MediaType) -> f32 {
    parameter(range, "q").map_or(1.0, |quality| quality.parse().unwrap_or(0.0))
}

fn parameter(range: &MediaType, name: &'static str) -> Option<String> {
    let value = range.get_param(Name::new_unchecked(name))?;
    Some(value.unquoted_str().into_owned())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_is_liked_best_is_sent() {
        let rows = [
            ("", Format::Prometheus),
            ("*/*", Format::Prometheus),
            ("text/html", Format::Prometheus),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("Application/OpenMetrics-Text; Version=\"1.0.0\"", Format::OpenMetrics),
            ("application/openmetrics-text;version=2.0.0", Format::Prometheus),
            ("application/openmetrics-text;q=0", Format::Prometheus),
            ("application/openmetrics-text;q=much", Format::Prometheus),
            (
                "application/openmetrics-text;q=0.2,text/plain;q=0.3",
                Format::Prometheus,
            ),
            (
                "application/openmetrics-text;q=0.2,text/plain;version=0.0.3",
                Format::OpenMetrics,
            ),
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
                 text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                Format::OpenMetrics,
            ),
            ("nonsense, application/openmetrics-text", Format::OpenMetrics),
        ];
        for (accept, expected) in rows {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(format(&headers), expected, "{accept}");
        }
        assert_eq!(format(&HeaderMap::new()), Format::Prometheus);
    }
}
