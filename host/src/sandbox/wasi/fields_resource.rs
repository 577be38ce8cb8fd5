//! The functions of the resource `fields` of `wasi:http/types@0.2`.

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue};
use wasmtime::component::{Resource, WasmList, WasmStr};
use wasmtime::{Result, StoreContextMut};

use super::bindings::http::{Fields as FieldsResource, HeaderError};
use super::fields::{Fields, ensure_one_length, parse_name, parse_value};
use super::host_functions::Interface;
use super::resources::{Entry, expect_entry};
use super::state::StoreData;

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
        entry => Ok(expect_entry!(entry, Entry::Fields(fields) => fields.map())),
    }
}

/// Changes fields, if they are mutable, and counts their memory.
fn change(
    data: &mut StoreData,
    handle: &Handle,
    change: impl FnOnce(&mut Fields) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let fields = match data.resources.get_mut(handle.rep())? {
        Entry::Fields(fields) if !fields.is_immutable() => fields,
        _ => return Err(HeaderError::Immutable.into()),
    };
    let before = fields.size();
    let result = change(fields);
    data.memory.release(before);
    data.memory.charge(fields.size())?;
    result
}

fn from_list(mut store: Store<'_>, entries: &Entries) -> Result<Handle, Failure> {
    let mut fields = Fields::default();
    for (name, value) in entries {
        let name = parse_name(&name.to_str(&store)?)?;
        let value = parse_value(&name, value.as_le_slice(&store))?;
        ensure_one_length(fields.map(), &name)?;
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
