//! Which trace a request belongs to, as `traceparent` tells it (W3C Trace Context, section 3.2).

use http::{HeaderMap, HeaderValue};

/// The header of a request that names its trace, unread: few requests are told of.
#[derive(Clone, Debug, Default)]
pub struct Trace(Option<HeaderValue>);

impl Trace {
    /// That of the request with these headers.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        Self(headers.get("traceparent").cloned())
    }

    /// The identifier of the trace, where there is a valid one: 32 digits.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        let mut parts = self.0.as_ref()?.to_str().ok()?.split('-');
        let (version, id, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        // Versions to come may have more parts.
        let is_whole = version != "ff" && (version != "00" || parts.next().is_none());
        let is_valid = is_digits(version, 2) && is_number(id, 32) && is_number(parent, 16) && is_digits(flags, 2);
        (is_whole && is_valid).then_some(id)
    }
}

fn is_digits(text: &str, count: usize) -> bool {
    text.len() == count && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_number(text: &str, count: usize) -> bool {
    is_digits(text, count) && text.bytes().any(|byte| byte != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0af7651916cd43dd8448eb211c80319c";

    fn id(value: &'static str) -> Option<String> {
        let headers = HeaderMap::from_iter([(
            http::HeaderName::from_static("traceparent"),
            HeaderValue::from_static(value),
        )]);
        Trace::of(&headers).id().map(str::to_owned)
    }

    #[test]
    fn a_valid_trace_is_told() {
        for value in [
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-the-future-brings",
        ] {
            assert_eq!(id(value).as_deref(), Some(ID), "{value}");
        }
    }

    #[test]
    fn another_is_not() {
        assert_eq!(Trace::default().id(), None);
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
            assert_eq!(id(value), None, "{value}");
        }
    }
}
