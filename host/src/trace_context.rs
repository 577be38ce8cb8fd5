//! The trace that a request belongs to: the header `traceparent` (W3C Trace Context, section 3.2), or
//! `x-cloud-trace-context` of Google's load balancers (<https://cloud.google.com/trace/docs/trace-context>).

use http::{HeaderMap, HeaderValue};

/// The trace header of a request. It is parsed on use, because few requests are logged.
#[derive(Clone, Debug, Default)]
pub(crate) enum TraceContext {
    #[default]
    Absent,
    /// `traceparent`, which takes precedence, even if it is invalid.
    W3c(HeaderValue),
    /// `x-cloud-trace-context`.
    GoogleCloud(HeaderValue),
}

impl From<&HeaderMap> for TraceContext {
    fn from(headers: &HeaderMap) -> Self {
        let w3c = headers.get("traceparent").cloned().map(Self::W3c);
        let google_cloud = || headers.get("x-cloud-trace-context").cloned().map(Self::GoogleCloud);
        w3c.or_else(google_cloud).unwrap_or_default()
    }
}

impl TraceContext {
    /// The trace ID, 32 hexadecimal digits, if the header is present and valid.
    #[must_use]
    pub(crate) fn trace_id(&self) -> Option<&str> {
        match self {
            Self::Absent => None,
            Self::W3c(value) => Self::w3c_trace_id(value.to_str().ok()?),
            Self::GoogleCloud(value) => Self::google_cloud_trace_id(value.to_str().ok()?),
        }
    }

    fn w3c_trace_id(value: &str) -> Option<&str> {
        let mut parts = value.split('-');
        let (version, trace_id, parent_id, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        // Versions after 00 may append further parts; ff is forbidden.
        let is_known_form = version != "ff" && (version != "00" || parts.next().is_none());
        let is_valid = is_hex(version, 2) && is_id(trace_id, 32) && is_id(parent_id, 16) && is_hex(flags, 2);
        (is_known_form && is_valid).then_some(trace_id)
    }

    /// Of `TRACE_ID/SPAN_ID;o=OPTIONS`, where the span and the options may be missing.
    fn google_cloud_trace_id(value: &str) -> Option<&str> {
        let trace_id = value.split(['/', ';']).next();
        trace_id.filter(|trace_id| is_id(trace_id, 32))
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// An ID of zeros is invalid.
fn is_id(text: &str, digits: usize) -> bool {
    is_hex(text, digits) && text.bytes().any(|byte| byte != b'0')
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";

    fn trace_id_of(headers: &[(&'static str, &'static str)]) -> Option<String> {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        TraceContext::from(&headers.collect::<HeaderMap>())
            .trace_id()
            .map(str::to_owned)
    }

    fn trace_id(value: &'static str) -> Option<String> {
        trace_id_of(&[("traceparent", value)])
    }

    #[test]
    fn valid_traceparent_yields_trace_id() {
        for value in [
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-the-future-brings",
        ] {
            assert_eq!(trace_id(value).as_deref(), Some(TRACE_ID), "{value}");
        }
    }

    #[test]
    fn invalid_traceparent_is_ignored() {
        assert_eq!(trace_id_of(&[]), None);
        for value in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g",
            "00-0af7651916cd43dd\"8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(trace_id(value), None, "{value}");
        }
    }

    #[test]
    fn x_cloud_trace_context_yields_trace_id_without_traceparent() {
        for value in [
            "0af7651916cd43dd8448eb211c80319c/13203100123456789;o=1",
            "0af7651916cd43dd8448eb211c80319c/0",
            "0af7651916cd43dd8448eb211c80319c;o=0",
            "0af7651916cd43dd8448eb211c80319c",
        ] {
            let header = ("x-cloud-trace-context", value);
            assert_eq!(trace_id_of(&[header]).as_deref(), Some(TRACE_ID), "{value}");
            assert_eq!(trace_id_of(&[header, ("traceparent", "invalid")]), None);
        }
    }

    #[test]
    fn invalid_x_cloud_trace_context_is_ignored() {
        for value in [
            "",
            "/1;o=1",
            "00000000000000000000000000000000/1;o=1",
            "0af7651916cd43dd8448eb211c80319/1",
            "0af7651916cd43dd8448eb211c80319c0/1",
            "0af7651916cd43dd\"8448eb211c80319/1",
        ] {
            assert_eq!(trace_id_of(&[("x-cloud-trace-context", value)]), None, "{value}");
        }
    }
}
