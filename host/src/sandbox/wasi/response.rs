//! The resources `response-outparam`, `outgoing-response` and `outgoing-body` of `wasi:http/types@0.2`.
//!
//! As in its document, a response can be set once, its body taken once, and the stream of the body once; a body that is
//! dropped without `finish`, or that differs from its `content-length`, makes the response incomplete.

use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use wasmtime::component::Resource;
use wasmtime::{Result, StoreContextMut};

use super::bindings::Error;
use super::bindings::http::OutgoingResponse as ResponseResource;
use super::bindings::http::{ErrorCode, Fields as FieldsResource, OutgoingBody, ResponseOutparam};
use super::bindings::streams::OutputStream;
use super::fields::Fields;
use super::host_functions::Interface;
use super::resources::{Entry, expect_entry, missing};
use super::response_body::ResponseBody;
use super::state::StoreData;

/// The head of a response, and which body it has.
pub(super) struct OutgoingResponse {
    pub(super) status: StatusCode,
    pub(super) headers: Fields,
    pub(super) body: Option<usize>,
}

type Store<'a> = StoreContextMut<'a, StoreData>;

/// Defines the functions of the three resources, and `http-error-code`.
pub(super) fn define(interface: &mut Interface<'_>) {
    define_outparam(interface);
    define_response(interface);
    define_body(interface);
    interface.function("http-error-code", |store, (error,): (Resource<Error>,)| {
        let error = store.data().resources.get(error.rep())?;
        let written = expect_entry!(error, Entry::BodySizeError { written } => *written);
        Ok((Some(ErrorCode::HttpResponseBodySize(Some(written))),))
    });
}

fn define_outparam(interface: &mut Interface<'_>) {
    type Response = Result<Resource<ResponseResource>, ErrorCode>;
    interface.resource::<ResponseOutparam>("response-outparam");
    interface.function(
        "[static]response-outparam.set",
        |mut store, (out, response): (Resource<ResponseOutparam>, Response)| {
            let data = store.data_mut();
            data.remove(out.rep())?;
            data.response = Some(match response {
                Ok(response) => {
                    let response = data.remove(response.rep())?;
                    Ok(expect_entry!(response, Entry::OutgoingResponse(response) => response))
                }
                Err(code) => Err(code),
            });
            Ok(())
        },
    );
}

fn define_response(interface: &mut Interface<'_>) {
    type Handle = Resource<ResponseResource>;
    interface.resource::<ResponseResource>("outgoing-response");
    interface.function("[constructor]outgoing-response", |store, (headers,)| {
        Ok((new_response(store, &headers)?,))
    });
    interface.function(
        "[method]outgoing-response.status-code",
        |mut store, (handle,): (Handle,)| Ok((response(store.data_mut(), &handle)?.status.as_u16(),)),
    );
    interface.function(
        "[method]outgoing-response.set-status-code",
        |mut store, (handle, code): (Handle, u16)| {
            let Ok(status) = StatusCode::from_u16(code) else {
                return Ok((Err(()),));
            };
            response(store.data_mut(), &handle)?.status = status;
            Ok((Ok(()),))
        },
    );
    interface.function(
        "[method]outgoing-response.headers",
        |mut store, (handle,): (Handle,)| {
            let headers = response(store.data_mut(), &handle)?.headers.clone();
            Ok((store.data_mut().push::<FieldsResource>(Entry::Fields(headers))?,))
        },
    );
    interface.function("[method]outgoing-response.body", |store, (handle,): (Handle,)| {
        Ok((open_body(store, &handle)?,))
    });
}

fn define_body(interface: &mut Interface<'_>) {
    type Handle = Resource<OutgoingBody>;
    interface.resource::<OutgoingBody>("outgoing-body");
    interface.function("[method]outgoing-body.write", |store, (handle,): (Handle,)| {
        Ok((open_stream(store, &handle)?,))
    });
    interface.function(
        "[static]outgoing-body.finish",
        |mut store, (handle, trailers): (Handle, Option<Resource<FieldsResource>>)| {
            let data = store.data_mut();
            let body = expect_entry!(data.remove(handle.rep())?, Entry::OutgoingBody { body, .. } => body);
            // HTTP/1.1 carries trailers only in chunked coding, which no response has.
            if let Some(trailers) = trailers {
                data.remove(trailers.rep())?;
            }
            Ok((data.body_mut(body)?.finish(),))
        },
    );
}

fn new_response(mut store: Store<'_>, headers: &Resource<FieldsResource>) -> Result<Resource<ResponseResource>> {
    let data = store.data_mut();
    let headers = match data.remove(headers.rep())? {
        Entry::RequestHeaders => Fields::copy_of(&data.request_headers)?,
        entry => expect_entry!(entry, Entry::Fields(fields) => fields),
    };
    data.push(Entry::OutgoingResponse(OutgoingResponse {
        status: StatusCode::OK,
        headers: headers.freeze(),
        body: None,
    }))
}

fn response<'a>(data: &'a mut StoreData, handle: &Resource<ResponseResource>) -> Result<&'a mut OutgoingResponse> {
    let response = data.resources.get_mut(handle.rep())?;
    Ok(expect_entry!(response, Entry::OutgoingResponse(response) => response))
}

fn open_body(mut store: Store<'_>, handle: &Resource<ResponseResource>) -> Result<Result<Resource<OutgoingBody>, ()>> {
    let data = store.data_mut();
    let body = data.bodies.len();
    let response = response(data, handle)?;
    if response.body.is_some() {
        return Ok(Err(()));
    }
    response.body = Some(body);
    let length = response.headers.map().get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    data.memory.charge(size_of::<ResponseBody>())?;
    data.bodies.push(ResponseBody::new(length));
    Ok(Ok(data.push(Entry::OutgoingBody {
        body,
        stream_taken: false,
    })?))
}

fn open_stream(mut store: Store<'_>, handle: &Resource<OutgoingBody>) -> Result<Result<Resource<OutputStream>, ()>> {
    let data = store.data_mut();
    match data.resources.get_mut(handle.rep())? {
        Entry::OutgoingBody { body, stream_taken } if !*stream_taken => {
            *stream_taken = true;
            let body = *body;
            Ok(Ok(data.push_child(Entry::OutputStream { body }, handle.rep())?))
        }
        _ => Ok(Err(())),
    }
}

/// What an instance leaves behind for the client.
pub(in crate::sandbox) enum Outcome {
    /// A response, with its body unless that is incomplete.
    Response(http::Response<Option<Bytes>>),
    /// A body that was neither finished nor dropped.
    OpenBody,
    /// An error instead of a response.
    ErrorCode(ErrorCode),
    /// Nothing.
    None,
}

impl StoreData {
    pub(super) fn body_mut(&mut self, body: usize) -> Result<&mut ResponseBody> {
        self.bodies.get_mut(body).ok_or_else(missing)
    }

    /// What the guest left behind when it returned.
    pub(in crate::sandbox) fn into_outcome(mut self) -> Outcome {
        let is_open = |entry: &Entry| matches!(entry, Entry::OutgoingBody { .. });
        if self.resources.iter().any(is_open) {
            return Outcome::OpenBody;
        }
        match self.response {
            None => Outcome::None,
            Some(Err(code)) => Outcome::ErrorCode(code),
            Some(Ok(response)) => {
                let body = match response.body {
                    Some(body) => self.bodies.swap_remove(body).into_bytes(),
                    None => Some(Bytes::new()),
                };
                let mut head = http::Response::new(body);
                *head.status_mut() = response.status;
                *head.headers_mut() = response.headers.into_map();
                Outcome::Response(head)
            }
        }
    }
}
