//! The resources `incoming-request`, `incoming-body` and `future-trailers` of `wasi:http/types@0.2`.
//!
//! As in its document, the body can be consumed once, its stream taken once, and its trailers once. The trailers are
//! always absent: the server does not pass them on.

use std::mem;

use http::header::HOST;
use wasmtime::Result;
use wasmtime::component::Resource;

use super::bindings::Pollable;
use super::bindings::http::{
    ErrorCode, Fields as FieldsResource, FutureTrailers, IncomingBody, IncomingRequest, Method, Scheme,
};
use super::bindings::streams::InputStream;
use super::store::{Entry, Interface, StoreData, expect_entry};
use super::types::Fields;

type RequestHandle = Resource<IncomingRequest>;
type BodyHandle = Resource<IncomingBody>;
type TrailersHandle = Resource<FutureTrailers>;

/// The trailers, once they are taken: `some(ok(ok(none)))`.
type Trailers = Option<Result<Result<Option<Resource<FieldsResource>>, ErrorCode>, ()>>;

/// Defines the functions of the three resources.
pub(super) fn define(interface: &mut Interface<'_>) -> Result<()> {
    interface.resource::<IncomingRequest>("incoming-request")?;
    interface.function("[method]incoming-request.method", |data, (_,): (RequestHandle,)| {
        Ok(method(data.request.method()))
    })?;
    interface.function(
        "[method]incoming-request.path-with-query",
        |data, (_,): (RequestHandle,)| {
            Ok(data
                .request
                .uri()
                .path_and_query()
                .map(|target| target.as_str().to_owned()))
        },
    )?;
    interface.function("[method]incoming-request.scheme", |_, (_,): (RequestHandle,)| {
        Ok(Some(Scheme::Http))
    })?;
    interface.function("[method]incoming-request.authority", |data, (_,): (RequestHandle,)| {
        Ok(authority(&data.request))
    })?;
    interface.function("[method]incoming-request.headers", |data, (_,): (RequestHandle,)| {
        data.push::<FieldsResource>(Entry::Fields(Fields::of_request(data.request.headers())))
    })?;
    interface.function("[method]incoming-request.consume", consume)?;
    interface.resource::<IncomingBody>("incoming-body")?;
    interface.function("[method]incoming-body.stream", stream)?;
    interface.function("[static]incoming-body.finish", |data, (handle,): (BodyHandle,)| {
        data.take(&handle)?;
        data.push::<FutureTrailers>(Entry::FutureTrailers { taken: false })
    })?;
    interface.resource::<FutureTrailers>("future-trailers")?;
    interface.function("[method]future-trailers.get", trailers)?;
    interface.function(
        "[method]future-trailers.subscribe",
        |data, (handle,): (TrailersHandle,)| data.push_child::<Pollable, _>(Entry::Pollable, &handle),
    )
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

fn authority<T>(request: &http::Request<T>) -> Option<String> {
    let host = || request.headers().get(HOST)?.to_str().ok();
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    authority.or_else(host).map(ToOwned::to_owned)
}

fn consume(data: &mut StoreData, (handle,): (RequestHandle,)) -> Result<Result<BodyHandle, ()>> {
    let consumed = expect_entry!(data.get(&handle)?, Entry::IncomingRequest { consumed } => consumed);
    if mem::replace(consumed, true) {
        return Ok(Err(()));
    }
    Ok(Ok(data.push(Entry::IncomingBody { stream_taken: false })?))
}

fn stream(data: &mut StoreData, (handle,): (BodyHandle,)) -> Result<Result<Resource<InputStream>, ()>> {
    let taken = expect_entry!(data.get(&handle)?, Entry::IncomingBody { stream_taken } => stream_taken);
    if mem::replace(taken, true) {
        return Ok(Err(()));
    }
    Ok(Ok(data.push_child(Entry::InputStream { position: 0 }, &handle)?))
}

fn trailers(data: &mut StoreData, (handle,): (TrailersHandle,)) -> Result<Trailers> {
    let taken = expect_entry!(data.get(&handle)?, Entry::FutureTrailers { taken } => taken);
    Ok(Some(if mem::replace(taken, true) {
        Err(())
    } else {
        Ok(Ok(None))
    }))
}
