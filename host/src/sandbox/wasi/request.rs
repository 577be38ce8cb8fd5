//! The resources `incoming-request`, `incoming-body` and `future-trailers` of `wasi:http/types@0.2`.
//!
//! As in its document, the body can be consumed once, its stream taken once, and its trailers once. The trailers are
//! always absent: the server does not pass them on.

use std::mem;

use http::header::HOST;
use wasmtime::component::Resource;
use wasmtime::{Result, StoreContextMut};

use super::bindings::Pollable;
use super::bindings::http::{ErrorCode, Fields, FutureTrailers, IncomingBody, IncomingRequest, Method, Scheme};
use super::bindings::streams::InputStream;
use super::host_functions::Interface;
use super::resources::{Entry, expect_entry};
use super::state::StoreData;

type Store<'a> = StoreContextMut<'a, StoreData>;

/// The trailers, once they are taken: `some(ok(ok(none)))`.
type Trailers = Option<Result<Result<Option<Resource<Fields>>, ErrorCode>, ()>>;

/// Defines the functions of the three resources.
pub(super) fn define(interface: &mut Interface<'_>) {
    define_request(interface);
    define_body(interface);
    define_trailers(interface);
}

fn define_request(interface: &mut Interface<'_>) {
    type Handle = Resource<IncomingRequest>;
    interface.resource::<IncomingRequest>("incoming-request");
    interface.function("[method]incoming-request.method", |store, (_,): (Handle,)| {
        Ok((method(store.data().request.method()),))
    });
    interface.function("[method]incoming-request.path-with-query", |store, (_,): (Handle,)| {
        let target = store.data().request.uri().path_and_query();
        Ok((target.map(|target| target.as_str().to_owned()),))
    });
    interface.function("[method]incoming-request.scheme", |_, (_,): (Handle,)| {
        Ok((Some(Scheme::Http),))
    });
    interface.function("[method]incoming-request.authority", |store, (_,): (Handle,)| {
        Ok((authority(store.data()),))
    });
    interface.function("[method]incoming-request.headers", |mut store, (_,): (Handle,)| {
        let data = store.data_mut();
        data.load_request_headers();
        Ok((data.push::<Fields>(Entry::RequestHeaders)?,))
    });
    interface.function("[method]incoming-request.consume", |store, (handle,): (Handle,)| {
        Ok((consume(store, &handle)?,))
    });
}

fn define_body(interface: &mut Interface<'_>) {
    type Handle = Resource<IncomingBody>;
    interface.resource::<IncomingBody>("incoming-body");
    interface.function("[method]incoming-body.stream", |store, (handle,): (Handle,)| {
        Ok((stream(store, &handle)?,))
    });
    interface.function("[static]incoming-body.finish", |mut store, (handle,): (Handle,)| {
        store.data_mut().remove(handle.rep())?;
        Ok((store
            .data_mut()
            .push::<FutureTrailers>(Entry::FutureTrailers { taken: false })?,))
    });
}

fn define_trailers(interface: &mut Interface<'_>) {
    type Handle = Resource<FutureTrailers>;
    interface.resource::<FutureTrailers>("future-trailers");
    interface.function(
        "[method]future-trailers.subscribe",
        |mut store, (handle,): (Handle,)| {
            Ok((store.data_mut().push_child::<Pollable>(Entry::Pollable, handle.rep())?,))
        },
    );
    interface.function("[method]future-trailers.get", |store, (handle,): (Handle,)| {
        Ok((trailers(store, &handle)?,))
    });
}

fn method(method: &http::Method) -> Method {
    match method.as_str() {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "CONNECT" => Method::Connect,
        "OPTIONS" => Method::Options,
        "TRACE" => Method::Trace,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

fn authority(data: &StoreData) -> Option<String> {
    let host = || data.request.headers().get(HOST)?.to_str().ok();
    let authority = data.request.uri().authority().map(http::uri::Authority::as_str);
    authority.or_else(host).map(ToOwned::to_owned)
}

fn consume(mut store: Store<'_>, handle: &Resource<IncomingRequest>) -> Result<Result<Resource<IncomingBody>, ()>> {
    let data = store.data_mut();
    match data.resources.get_mut(handle.rep())? {
        Entry::IncomingRequest { consumed } if !*consumed => *consumed = true,
        _ => return Ok(Err(())),
    }
    Ok(Ok(data.push(Entry::IncomingBody { stream_taken: false })?))
}

fn stream(mut store: Store<'_>, handle: &Resource<IncomingBody>) -> Result<Result<Resource<InputStream>, ()>> {
    let data = store.data_mut();
    match data.resources.get_mut(handle.rep())? {
        Entry::IncomingBody { stream_taken } if !*stream_taken => *stream_taken = true,
        _ => return Ok(Err(())),
    }
    Ok(Ok(data.push_child(Entry::InputStream { position: 0 }, handle.rep())?))
}

fn trailers(mut store: Store<'_>, handle: &Resource<FutureTrailers>) -> Result<Trailers> {
    let trailers = store.data_mut().resources.get_mut(handle.rep())?;
    let taken = expect_entry!(trailers, Entry::FutureTrailers { taken } => mem::replace(taken, true));
    Ok(Some(if taken { Err(()) } else { Ok(Ok(None)) }))
}
