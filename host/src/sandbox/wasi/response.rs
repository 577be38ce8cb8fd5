//! The resources `response-outparam`, `outgoing-response` and `outgoing-body` of `wasi:http/types@0.2`.
//!
//! As in its document, a response can be set once, its body taken once, and the stream of the body once; a body that is
//! dropped without `finish`, or that differs from its `content-length`, is incomplete.

use std::mem;

use http::StatusCode;
use wasmtime::Result;
use wasmtime::component::Resource;

use super::bindings::Error;
use super::bindings::http::{
    ErrorCode, Fields as FieldsResource, OutgoingBody, OutgoingResponse as ResponseResource, ResponseOutparam,
};
use super::bindings::streams::OutputStream;
use super::store::{Entry, Interface, OutgoingResponse, StoreData, expect_entry};
use super::types::{Body, Fields};

type Out = Resource<ResponseOutparam>;
type ResponseHandle = Resource<ResponseResource>;
type FieldsHandle = Resource<FieldsResource>;
type BodyHandle = Resource<OutgoingBody>;

/// Defines the functions of the three resources, and `http-error-code`.
pub(super) fn define(interface: &mut Interface<'_>) -> Result<()> {
    interface.resource::<ResponseOutparam>("response-outparam")?;
    interface.function_of_store("[static]response-outparam.set", |mut store, params| {
        set(store.data_mut(), params)
    })?;
    interface.resource::<ResponseResource>("outgoing-response")?;
    interface.function("[constructor]outgoing-response", new_response)?;
    interface.function("[method]outgoing-response.status-code", |data, (handle,)| {
        Ok(response(data, &handle)?.status.as_u16())
    })?;
    interface.function("[method]outgoing-response.set-status-code", set_status_code)?;
    interface.function("[method]outgoing-response.headers", |data, (handle,)| {
        let headers = response(data, &handle)?.headers.clone();
        data.push::<FieldsResource>(Entry::Fields(headers))
    })?;
    interface.function("[method]outgoing-response.body", open_body)?;
    interface.resource::<OutgoingBody>("outgoing-body")?;
    interface.function("[method]outgoing-body.write", open_stream)?;
    interface.function("[static]outgoing-body.finish", finish)?;
    interface.function("http-error-code", |data, (error,): (Resource<Error>,)| {
        let written = expect_entry!(data.get(&error)?, Entry::BodySizeError { written } => *written);
        Ok(Some(ErrorCode::HttpResponseBodySize(Some(written))))
    })
}

fn set(data: &mut StoreData, (out, response): (Out, Result<ResponseHandle, ErrorCode>)) -> Result<()> {
    data.take(&out)?;
    data.response = Some(match response {
        Ok(response) => Ok(expect_entry!(data.take(&response)?, Entry::OutgoingResponse(response) => response)),
        Err(code) => Err(code),
    });
    Ok(())
}

fn new_response(data: &mut StoreData, (headers,): (FieldsHandle,)) -> Result<ResponseHandle> {
    let map = expect_entry!(data.take(&headers)?, Entry::Fields(fields) => fields.map);
    data.push(Entry::OutgoingResponse(OutgoingResponse {
        status: StatusCode::OK,
        headers: Fields { map, immutable: true },
        body: None,
    }))
}

fn response<'a>(data: &'a mut StoreData, handle: &ResponseHandle) -> Result<&'a mut OutgoingResponse> {
    Ok(expect_entry!(data.get(handle)?, Entry::OutgoingResponse(response) => response))
}

fn set_status_code(data: &mut StoreData, (handle, code): (ResponseHandle, u16)) -> Result<Result<(), ()>> {
    let Ok(status) = StatusCode::from_u16(code) else {
        return Ok(Err(()));
    };
    response(data, &handle)?.status = status;
    Ok(Ok(()))
}

fn open_body(data: &mut StoreData, (handle,): (ResponseHandle,)) -> Result<Result<BodyHandle, ()>> {
    let OutgoingResponse { headers, body, .. } = response(data, &handle)?;
    if body.is_some() {
        return Ok(Err(()));
    }
    let body = Body::new(&headers.map);
    let body = data.push_body(body)?;
    response(data, &handle)?.body = Some(body);
    let stream_taken = false;
    Ok(Ok(data.push(Entry::OutgoingBody { body, stream_taken })?))
}

fn open_stream(data: &mut StoreData, (handle,): (BodyHandle,)) -> Result<Result<Resource<OutputStream>, ()>> {
    let entry = data.get(&handle)?;
    let (body, taken) = expect_entry!(entry, Entry::OutgoingBody { body, stream_taken } => (*body, stream_taken));
    if mem::replace(taken, true) {
        return Ok(Err(()));
    }
    Ok(Ok(data.push_child(Entry::OutputStream { body }, &handle)?))
}

fn finish(
    data: &mut StoreData,
    (handle, trailers): (BodyHandle, Option<FieldsHandle>),
) -> Result<Result<(), ErrorCode>> {
    let body = expect_entry!(data.take(&handle)?, Entry::OutgoingBody { body, .. } => body);
    // HTTP/1.1 carries trailers only in chunked coding, which no response has.
    if let Some(trailers) = trailers {
        data.take(&trailers)?;
    }
    Ok(data.body_mut(body)?.finish())
}
