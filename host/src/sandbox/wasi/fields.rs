//! Headers and trailers, with the rules of the resource `fields` of `wasi:http/types@0.2`.
//!
//! As in its document, names are case-insensitive, an invalid name or value is `invalid-syntax`, a header that belongs
//! to the connection (RFC 9110 section 7.6.1) is `forbidden`, and the headers of a message are `immutable`. The
//! document leaves open which names are forbidden: they are those of wasmtime.

use http::header::{CONTENT_LENGTH, Entry as MapEntry};
use http::{HeaderMap, HeaderName, HeaderValue};
use wasmtime::{Result, bail};

use super::bindings::http::HeaderError;
use crate::sandbox::limits::{LimitExceeded, MAX_FIELDS_BYTES};

/// Bytes that one field costs apart from its name and value: its place in a map that is at most half full.
const FIELD_OVERHEAD: usize = 256;

/// A list of fields that the guest made.
#[derive(Clone, Default)]
pub(super) struct Fields {
    map: HeaderMap,
    /// What `map` costs in memory, rounded up.
    size: usize,
    immutable: bool,
}

impl Fields {
    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn map(&self) -> &HeaderMap {
        &self.map
    }

    pub(super) fn is_immutable(&self) -> bool {
        self.immutable
    }

    pub(super) fn into_map(self) -> HeaderMap {
        self.map
    }

    /// The same, for a message.
    pub(super) fn freeze(self) -> Self {
        let immutable = true;
        Self { immutable, ..self }
    }

    /// A mutable copy.
    pub(super) fn copy_of(map: &HeaderMap) -> Result<Self> {
        let mut fields = Self::default();
        for (name, value) in map {
            fields.append(name.clone(), value.clone())?;
        }
        Ok(fields)
    }

    /// Adds a field, which the limit on one list may prevent.
    pub(super) fn append(&mut self, name: HeaderName, value: HeaderValue) -> Result<()> {
        self.resize(self.size + field_size(&name, &value))?;
        self.map.append(name, value);
        Ok(())
    }

    /// Replaces all fields of this name, at the place of the first.
    pub(super) fn set(&mut self, name: &HeaderName, values: Vec<HeaderValue>) -> Result<()> {
        let mut values = values.into_iter();
        let Some(first) = values.next() else {
            self.remove(name.clone());
            return Ok(());
        };
        let replaced: usize = self.map.get_all(name).iter().map(|value| field_size(name, value)).sum();
        self.resize(self.size - replaced + field_size(name, &first))?;
        self.map.insert(name.clone(), first);
        values.try_for_each(|value| self.append(name.clone(), value))
    }

    fn resize(&mut self, size: usize) -> Result<()> {
        if size > MAX_FIELDS_BYTES {
            bail!(LimitExceeded::Fields);
        }
        self.size = size;
        Ok(())
    }

    /// Removes all fields of this name.
    pub(super) fn remove(&mut self, name: HeaderName) {
        let removed = match self.map.entry(name) {
            MapEntry::Vacant(_) => 0,
            MapEntry::Occupied(entry) => {
                let (name, values) = entry.remove_entry_mult();
                values.map(|value| field_size(&name, &value)).sum()
            }
        };
        self.size -= removed;
    }
}

fn field_size(name: &HeaderName, value: &HeaderValue) -> usize {
    name.as_str().len() + value.len() + FIELD_OVERHEAD
}

/// Whether a guest can neither see nor set this header.
pub(super) fn is_forbidden(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "host"
            | "http2-settings"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "transfer-encoding"
            | "upgrade"
    )
}

pub(super) fn parse_name(name: &str) -> Result<HeaderName, HeaderError> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| HeaderError::InvalidSyntax)?;
    if is_forbidden(&name) {
        return Err(HeaderError::Forbidden);
    }
    Ok(name)
}

pub(super) fn parse_value(name: &HeaderName, value: &[u8]) -> Result<HeaderValue, HeaderError> {
    if name != CONTENT_LENGTH {
        return HeaderValue::from_bytes(value).map_err(|_| HeaderError::InvalidSyntax);
    }
    // RFC 9110 section 8.6 allows only digits, where the parser of `u64` would accept a sign.
    let digits = value.iter().all(u8::is_ascii_digit).then_some(value);
    let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
    let length = digits.and_then(|digits| digits.parse::<u64>().ok());
    length.map(HeaderValue::from).ok_or(HeaderError::InvalidSyntax)
}

/// Two lengths would make the framing of a message ambiguous.
pub(super) fn ensure_one_length(fields: &HeaderMap, name: &HeaderName) -> Result<(), HeaderError> {
    if name == CONTENT_LENGTH && fields.contains_key(name) {
        return Err(HeaderError::InvalidSyntax);
    }
    Ok(())
}
