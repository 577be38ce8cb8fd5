//! Content negotiation for `/metrics` (RFC 9110 section 12.5.1).

use http::HeaderMap;
use http::header::ACCEPT;
use mediatype::names::{self, APPLICATION, PLAIN};
use mediatype::{MediaType, MediaTypeList, Name, ReadParams};

use crate::metrics::ExpositionFormat;

const OPEN_METRICS: MediaType = MediaType::new(APPLICATION, Name::new_unchecked("openmetrics-text"));
const TEXT: MediaType = MediaType::new(names::TEXT, PLAIN);

/// The format that `Accept` prefers: `OpenMetrics` if it is listed with at least the quality of the text format,
/// otherwise the text format. Wildcards select the text format.
pub(super) fn preferred_format(headers: &HeaderMap) -> ExpositionFormat {
    let (mut open_metrics, mut text) = (0.0, 0.0);
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    for range in values.flat_map(MediaTypeList::new).flatten() {
        // Without parameters; the comparison ignores case.
        let essence = range.essence();
        if essence == OPEN_METRICS && allows_version(&range, "1.0.0") {
            open_metrics = quality(&range).max(open_metrics);
        } else if essence == TEXT && allows_version(&range, "0.0.4") {
            text = quality(&range).max(text);
        }
    }
    if open_metrics > 0.0 && open_metrics >= text {
        ExpositionFormat::OpenMetrics
    } else {
        ExpositionFormat::Prometheus
    }
}

fn allows_version(range: &MediaType, supported: &str) -> bool {
    parameter(range, "version").is_none_or(|version| version == supported)
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

    use super::ExpositionFormat::{OpenMetrics, Prometheus};
    use super::*;

    #[test]
    fn accept_prefers_highest_quality() {
        let cases = [
            ("", Prometheus),
            ("*/*", Prometheus),
            ("text/html", Prometheus),
            ("application/openmetrics-text", OpenMetrics),
            ("Application/OpenMetrics-Text; Version=\"1.0.0\"", OpenMetrics),
            ("application/openmetrics-text;version=2.0.0", Prometheus),
            ("application/openmetrics-text;q=0", Prometheus),
            ("application/openmetrics-text;q=much", Prometheus),
            ("application/openmetrics-text;q=0.2,text/plain;q=0.3", Prometheus),
            (
                "application/openmetrics-text;q=0.2,text/plain;version=0.0.3",
                OpenMetrics,
            ),
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
                 text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                OpenMetrics,
            ),
            ("nonsense, application/openmetrics-text", OpenMetrics),
        ];
        for (accept, expected) in cases {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(preferred_format(&headers), expected, "{accept}");
        }
        assert_eq!(preferred_format(&HeaderMap::new()), Prometheus);
    }
}
