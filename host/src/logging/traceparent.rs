//! The `traceparent` header (W3C Trace Context, section 3.2).

use http::{HeaderMap, HeaderValue};

/// The `traceparent` header of a request. It is parsed on use, because few requests are logged.
#[derive(Clone, Debug, Default)]
pub(crate) struct TraceParent(Option<HeaderValue>);

impl From<&HeaderMap> for TraceParent {
    fn from(headers: &HeaderMap) -> Self {
        Self(headers.get("traceparent").cloned())
    }
}

impl TraceParent {
    /// The trace ID, 32 hexadecimal digits, if the header is present and valid.
    #[must_use]
    pub(crate) fn trace_id(&self) -> Option<&str> {
        let mut parts = self.0.as_ref()?.to_str().ok()?.split('-');
        let (version, trace_id, parent_id, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        // Versions after 00 may append further parts; ff is forbidden.
        let is_known_form = version != "ff" && (version != "00" || parts.next().is_none());
        let is_valid = is_hex(version, 2) && is_id(trace_id, 32) && is_id(parent_id, 16) && is_hex(flags, 2);
        (is_known_form && is_valid).then_some(trace_id)
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

    fn trace_id(value: &'static str) -> Option<String> {
        let header = (HeaderName::from_static("traceparent"), HeaderValue::from_static(value));
        let headers = HeaderMap::from_iter([header]);
        TraceParent::from(&headers).trace_id().map(str::to_owned)
    }

    #[test]
    fn valid_traceparent_yields_trace_id() {
        for value in [
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-the-future-brings",
        ] {
            assert_eq!(
                trace_id(value).as_deref(),
                Some("0af7651916cd43dd8448eb211c80319c"),
                "{value}"
            );
        }
    }

    #[test]
    fn invalid_traceparent_is_ignored() {
        assert_eq!(TraceParent::default().trace_id(), None);
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
}
