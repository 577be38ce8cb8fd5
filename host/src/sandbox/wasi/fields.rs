//! The resource `fields` of `wasi:http/types@0.2`: headers and trailers.
//!
//! As in its document, names are case-insensitive, an invalid name or value is `invalid-syntax`, a header that belongs
//! to the connection (RFC 9110 section 7.6.1) is `forbidden`, and the headers of a message are `immutable`. The document
//! leaves open which names are forbidden: they are those of wasmtime.

use http::header::{CONTENT_LENGTH, Entry as MapEntry};
use http::{HeaderMap, HeaderName, HeaderValue};
use wasmtime::component::{Resource, WasmList, WasmStr};
use wasmtime::{Result, StoreContextMut, bail};

use super::bindings::http::{Fields as FieldsResource, HeaderError};
use super::host_functions::Interface;
use super::resources::{Entry, expect_entry};
use super::state::StoreData;
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
    fn append(&mut self, name: HeaderName, value: HeaderValue) -> Result<()> {
        self.resize(self.size + field_size(&name, &value))?;
        self.map.append(name, value);
        Ok(())
    }

    /// Replaces all fields of this name, at the place of the first.
    fn set(&mut self, name: &HeaderName, values: Vec<HeaderValue>) -> Result<()> {
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
    fn remove(&mut self, name: HeaderName) {
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

fn parse_name(name: &str) -> Result<HeaderName, HeaderError> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| HeaderError::InvalidSyntax)?;
    if is_forbidden(&name) {
        return Err(HeaderError::Forbidden);
    }
    Ok(name)
}

fn parse_value(name: &HeaderName, value: &[u8]) -> Result<HeaderValue, HeaderError> {
    if name != CONTENT_LENGTH {
        return HeaderValue::from_bytes(value).map_err(|_| HeaderError::InvalidSyntax);
    }
    // RFC 9110 section 8.6 allows only digits, where the parser of `u64` would accept a sign.
    let digits = value.iter().all(u8::is_ascii_digit).then_some(value);
    let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
    let length = digits.and_then(|digits| digits.parse::<u64>().ok());
    length.map(HeaderValue::from).ok_or(HeaderError::InvalidSyntax)
}

/// Why an operation failed: the guest sees a [`HeaderError`]; anything else ends it.
enum Failure {
    Header(HeaderError),
    Trap(wasmtime::Error),
}

impl From<HeaderError> for Failure {
    fn from(error: HeaderError) -> Self {
        Self::Header(error)
    }
}

impl From<wasmtime::Error> for Failure {
    fn from(error: wasmtime::Error) -> Self {
        Self::Trap(error)
    }
}

/// The result of a function with one value, for the guest.
fn answer<T>(result: Result<T, Failure>) -> Result<(Result<T, HeaderError>,)> {
    match result {
        Ok(value) => Ok((Ok(value),)),
        Err(Failure::Header(error)) => Ok((Err(error),)),
        Err(Failure::Trap(error)) => Err(error),
    }
}

type Store<'a> = StoreContextMut<'a, StoreData>;
type Handle = Resource<FieldsResource>;
type Entries = Vec<(WasmStr, WasmList<u8>)>;

/// Defines the functions of the resource.
pub(super) fn define(interface: &mut Interface<'_>) {
    interface.resource::<FieldsResource>("fields");
    interface.function("[constructor]fields", |mut store, (): ()| {
        Ok((store
            .data_mut()
            .push::<FieldsResource>(Entry::Fields(Fields::default()))?,))
    });
    interface.function("[static]fields.from-list", |store, (entries,): (Entries,)| {
        answer(from_list(store, &entries))
    });
    interface.function("[method]fields.get", |store, (handle, name): (Handle, WasmStr)| {
        // An invalid name is the name of no field.
        let values = fields(store.data(), &handle)?.get_all(&*name.to_str(&store)?).iter();
        Ok((values.map(|value| value.as_bytes().to_vec()).collect::<Vec<_>>(),))
    });
    interface.function("[method]fields.has", |store, (handle, name): (Handle, WasmStr)| {
        Ok((fields(store.data(), &handle)?.contains_key(&*name.to_str(&store)?),))
    });
    interface.function(
        "[method]fields.set",
        |store, (handle, name, values): (Handle, WasmStr, Vec<_>)| answer(set(store, &handle, &name, &values)),
    );
    interface.function("[method]fields.delete", |store, (handle, name): (Handle, WasmStr)| {
        answer(delete(store, &handle, &name))
    });
    interface.function("[method]fields.append", |store, (handle, name, value)| {
        answer(append(store, &handle, &name, &value))
    });
    interface.function("[method]fields.entries", |store, (handle,): (Handle,)| {
        let entry = |(name, value): (&HeaderName, &HeaderValue)| (name.to_string(), value.as_bytes().to_vec());
        Ok((fields(store.data(), &handle)?.iter().map(entry).collect::<Vec<_>>(),))
    });
    interface.function("[method]fields.clone", |mut store, (handle,): (Handle,)| {
        let copy = Fields::copy_of(fields(store.data(), &handle)?)?;
        Ok((store.data_mut().push::<FieldsResource>(Entry::Fields(copy))?,))
    });
}

/// The fields that a handle stands for.
fn fields<'a>(data: &'a StoreData, handle: &Handle) -> Result<&'a HeaderMap> {
    match data.resources.get(handle.rep())? {
        Entry::RequestHeaders => Ok(&data.request_headers),
        entry => Ok(expect_entry!(entry, Entry::Fields(fields) => &fields.map)),
    }
}

/// Changes fields, if they are mutable, and counts their memory.
fn change(
    data: &mut StoreData,
    handle: &Handle,
    change: impl FnOnce(&mut Fields) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let fields = match data.resources.get_mut(handle.rep())? {
        Entry::Fields(fields) if !fields.immutable => fields,
        _ => return Err(HeaderError::Immutable.into()),
    };
    let before = fields.size;
    let result = change(fields);
    data.memory.release(before);
    data.memory.charge(fields.size)?;
    result
}

fn from_list(mut store: Store<'_>, entries: &Entries) -> Result<Handle, Failure> {
    let mut fields = Fields::default();
    for (name, value) in entries {
        let name = parse_name(&name.to_str(&store)?)?;
        let value = parse_value(&name, value.as_le_slice(&store))?;
        ensure_one_length(&fields.map, &name)?;
        fields.append(name, value)?;
    }
    Ok(store.data_mut().push(Entry::Fields(fields))?)
}

fn set(mut store: Store<'_>, handle: &Handle, name: &WasmStr, values: &[WasmList<u8>]) -> Result<(), Failure> {
    let name = parse_name(&name.to_str(&store)?)?;
    let parsed = values.iter().map(|value| parse_value(&name, value.as_le_slice(&store)));
    let parsed: Result<Vec<_>, _> = parsed.collect();
    change(store.data_mut(), handle, |fields| {
        if name == CONTENT_LENGTH && values.len() > 1 {
            return Err(HeaderError::InvalidSyntax.into());
        }
        Ok(fields.set(&name, parsed?)?)
    })
}

fn delete(mut store: Store<'_>, handle: &Handle, name: &WasmStr) -> Result<(), Failure> {
    let name = parse_name(&name.to_str(&store)?)?;
    change(store.data_mut(), handle, |fields| {
        fields.remove(name);
        Ok(())
    })
}

fn append(mut store: Store<'_>, handle: &Handle, name: &WasmStr, value: &WasmList<u8>) -> Result<(), Failure> {
    let name = parse_name(&name.to_str(&store)?)?;
    let value = parse_value(&name, value.as_le_slice(&store))?;
    ensure_one_length(fields(store.data(), handle)?, &name)?;
    change(store.data_mut(), handle, |fields| Ok(fields.append(name, value)?))
}

/// Two lengths would make the framing of a message ambiguous.
fn ensure_one_length(fields: &HeaderMap, name: &HeaderName) -> Result<(), HeaderError> {
    if name == CONTENT_LENGTH && fields.contains_key(name) {
        return Err(HeaderError::InvalidSyntax);
    }
    Ok(())
}
