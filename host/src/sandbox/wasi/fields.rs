//! The resource `fields` of `wasi:http/types@0.2`.

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue};
use wasmtime::component::{Resource, WasmList, WasmStr};
use wasmtime::{Result, StoreContextMut};

use super::bindings::http::{Fields as FieldsResource, HeaderError};
use super::store::{Entry, Interface, StoreData, expect_entry};
use super::types::{Fields, ensure_one_length, parse_name, parse_value};

type Store<'a> = StoreContextMut<'a, StoreData>;
type Handle = Resource<FieldsResource>;
type Bytes = WasmList<u8>;

/// The result of a function that can fail.
type Answer<T> = Result<(Result<T, HeaderError>,)>;

/// Defines the functions of the resource.
pub(super) fn define(interface: &mut Interface<'_>) -> Result<()> {
    interface.resource::<FieldsResource>("fields")?;
    interface.function("[constructor]fields", |data, (): ()| {
        data.push::<FieldsResource>(Entry::Fields(Fields::default()))
    })?;
    interface.function_of_store("[static]fields.from-list", |store, params| {
        answer(from_list(store, params))
    })?;
    interface.function_of_store("[method]fields.get", get)?;
    interface.function_of_store("[method]fields.has", has)?;
    interface.function_of_store("[method]fields.set", |store, params| answer(set(store, params)))?;
    interface.function_of_store("[method]fields.delete", |store, params| answer(delete(store, params)))?;
    interface.function_of_store("[method]fields.append", |store, params| answer(append(store, params)))?;
    interface.function("[method]fields.entries", entries)?;
    interface.function("[method]fields.clone", |data, (handle,): (Handle,)| {
        let (map, immutable) = (map(data, &handle)?.clone(), false);
        data.push::<FieldsResource>(Entry::Fields(Fields { map, immutable }))
    })
}

/// A [`HeaderError`] is a value for the guest, any other error ends it.
fn answer<T>(result: Result<T>) -> Answer<T> {
    match result {
        Ok(value) => Ok((Ok(value),)),
        Err(error) => Ok((Err(error.downcast()?),)),
    }
}

/// The fields that a handle stands for.
fn map<'a>(data: &'a mut StoreData, handle: &Handle) -> Result<&'a HeaderMap> {
    Ok(expect_entry!(data.get(handle)?, Entry::Fields(fields) => &fields.map))
}

/// As [`map`], if they may be changed.
fn mutable<'a>(data: &'a mut StoreData, handle: &Handle) -> Result<&'a mut Fields> {
    let fields = expect_entry!(data.get(handle)?, Entry::Fields(fields) => fields);
    if fields.immutable {
        return Err(HeaderError::Immutable.into());
    }
    Ok(fields)
}

fn from_list(mut store: Store<'_>, (entries,): (Vec<(WasmStr, Bytes)>,)) -> Result<Handle> {
    let mut fields = Fields::default();
    for (name, value) in entries {
        let name = parse_name(&name.to_str(&store)?)?;
        let value = parse_value(&name, value.as_le_slice(&store))?;
        ensure_one_length(&fields.map, &name)?;
        fields.map.append(name, value);
    }
    fields.check()?;
    store.data_mut().push(Entry::Fields(fields))
}

/// An invalid name is the name of no field.
fn get(mut store: Store<'_>, (handle, name): (Handle, WasmStr)) -> Result<(Vec<Vec<u8>>,)> {
    let name = name.to_str(&store)?.into_owned();
    let values = map(store.data_mut(), &handle)?.get_all(name).iter();
    Ok((values.map(|value| value.as_bytes().to_vec()).collect(),))
}

fn has(mut store: Store<'_>, (handle, name): (Handle, WasmStr)) -> Result<(bool,)> {
    let name = name.to_str(&store)?.into_owned();
    Ok((map(store.data_mut(), &handle)?.contains_key(name),))
}

/// Replaces all fields of this name, at the place of the first.
fn set(mut store: Store<'_>, (handle, name, values): (Handle, WasmStr, Vec<Bytes>)) -> Result<()> {
    let name = parse_name(&name.to_str(&store)?)?;
    let parsed = values.iter().map(|value| parse_value(&name, value.as_le_slice(&store)));
    let parsed: Result<Vec<_>, _> = parsed.collect();
    let fields = mutable(store.data_mut(), &handle)?;
    if name == CONTENT_LENGTH && values.len() > 1 {
        return Err(HeaderError::InvalidSyntax.into());
    }
    let mut parsed = parsed?.into_iter();
    match parsed.next() {
        Some(first) => fields.map.insert(name.clone(), first),
        None => fields.map.remove(&name),
    };
    for value in parsed {
        fields.map.append(name.clone(), value);
    }
    fields.check()
}

fn delete(mut store: Store<'_>, (handle, name): (Handle, WasmStr)) -> Result<()> {
    let name = parse_name(&name.to_str(&store)?)?;
    mutable(store.data_mut(), &handle)?.map.remove(name);
    Ok(())
}

fn append(mut store: Store<'_>, (handle, name, value): (Handle, WasmStr, Bytes)) -> Result<()> {
    let name = parse_name(&name.to_str(&store)?)?;
    let value = parse_value(&name, value.as_le_slice(&store))?;
    ensure_one_length(map(store.data_mut(), &handle)?, &name)?;
    let fields = mutable(store.data_mut(), &handle)?;
    fields.map.append(name, value);
    fields.check()
}

fn entries(data: &mut StoreData, (handle,): (Handle,)) -> Result<Vec<(String, Vec<u8>)>> {
    let entry = |(name, value): (&HeaderName, &HeaderValue)| (name.to_string(), value.as_bytes().to_vec());
    Ok(map(data, &handle)?.iter().map(entry).collect())
}
