//! The interfaces `wasi:io/error@0.2`, `wasi:io/poll@0.2` and `wasi:io/streams@0.2`.
//!
//! An input stream is the body of the request, an output stream the body of a response. Both are in memory, so that the
//! blocking functions are the same as the others. As in the document, a write beyond the permit of `check-write` traps,
//! and so does a blocking write of more than 4096 bytes.

use std::mem;

use bytes::Bytes;
use wasmtime::component::{Resource, WasmList};
use wasmtime::{Result, StoreContextMut, bail};

use super::bindings::streams::{InputStream, OutputStream, StreamError};
use super::bindings::{Error, Pollable};
use super::host_functions::Interface;
use super::resources::{Entry, expect_entry, missing};
use super::response_body::Write;
use super::state::StoreData;

/// Bytes of one read, and the permit of `check-write`.
const MAX_CHUNK_BYTES: u64 = 64 * 1024;

/// Bytes of one `blocking-write-and-flush` or `blocking-write-zeroes-and-flush`.
const MAX_BLOCKING_WRITE_BYTES: u64 = 4096;

type Store<'a> = StoreContextMut<'a, StoreData>;
type Input = Resource<InputStream>;
type Output = Resource<OutputStream>;

/// Defines `wasi:io/error`.
pub(super) fn define_error(interface: &mut Interface<'_>) {
    interface.resource::<Error>("error");
    interface.function(
        "[method]error.to-debug-string",
        |store, (error,): (Resource<Error>,)| {
            let error = store.data().resources.get(error.rep())?;
            let written = expect_entry!(error, Entry::BodySizeError { written } => *written);
            Ok((format!("the body has {written} bytes, more than its content-length"),))
        },
    );
}

/// Defines `wasi:io/poll`. Nothing waits, so every pollable is ready.
pub(super) fn define_poll(interface: &mut Interface<'_>) {
    interface.resource::<Pollable>("pollable");
    interface.function("[method]pollable.ready", |_, (_,): (Resource<Pollable>,)| Ok((true,)));
    interface.function("[method]pollable.block", |_, (_,): (Resource<Pollable>,)| Ok(()));
    interface.function("poll", |_, (pollables,): (Vec<Resource<Pollable>>,)| {
        if pollables.is_empty() {
            bail!("`poll` was called with an empty list");
        }
        let indices = 0..u32::try_from(pollables.len())?;
        Ok((indices.collect::<Vec<_>>(),))
    });
}

/// Defines `wasi:io/streams`.
pub(super) fn define_streams(interface: &mut Interface<'_>) {
    define_input(interface);
    define_output(interface);
    define_splice(interface);
}

fn define_input(interface: &mut Interface<'_>) {
    interface.resource::<InputStream>("input-stream");
    for name in ["[method]input-stream.read", "[method]input-stream.blocking-read"] {
        interface.function(name, |mut store, (stream, length): (Input, u64)| {
            Ok((read(store.data_mut(), &stream, length)?,))
        });
    }
    for name in ["[method]input-stream.skip", "[method]input-stream.blocking-skip"] {
        interface.function(name, |mut store, (stream, length): (Input, u64)| {
            let skipped = read(store.data_mut(), &stream, length)?;
            Ok((skipped.map(|bytes| bytes.len() as u64),))
        });
    }
    interface.function("[method]input-stream.subscribe", |mut store, (stream,): (Input,)| {
        Ok((store.data_mut().push_child::<Pollable>(Entry::Pollable, stream.rep())?,))
    });
}

fn define_output(interface: &mut Interface<'_>) {
    interface.resource::<OutputStream>("output-stream");
    interface.function(
        "[method]output-stream.check-write",
        |mut store, (stream,): (Output,)| Ok((flush(store.data_mut(), &stream)?.map(|()| MAX_CHUNK_BYTES),)),
    );
    for (name, max) in [
        ("[method]output-stream.write", MAX_CHUNK_BYTES),
        (
            "[method]output-stream.blocking-write-and-flush",
            MAX_BLOCKING_WRITE_BYTES,
        ),
    ] {
        interface.function(name, move |store, (stream, contents): (Output, WasmList<u8>)| {
            Ok((write(store, &stream, &contents, max)?,))
        });
    }
    for (name, max) in [
        ("[method]output-stream.write-zeroes", MAX_CHUNK_BYTES),
        (
            "[method]output-stream.blocking-write-zeroes-and-flush",
            MAX_BLOCKING_WRITE_BYTES,
        ),
    ] {
        interface.function(name, move |store, (stream, length): (Output, u64)| {
            Ok((write_zeroes(store, &stream, length, max)?,))
        });
    }
    for name in ["[method]output-stream.flush", "[method]output-stream.blocking-flush"] {
        interface.function(name, |mut store, (stream,): (Output,)| {
            Ok((flush(store.data_mut(), &stream)?,))
        });
    }
    interface.function("[method]output-stream.subscribe", |mut store, (stream,): (Output,)| {
        Ok((store.data_mut().push_child::<Pollable>(Entry::Pollable, stream.rep())?,))
    });
}

fn define_splice(interface: &mut Interface<'_>) {
    for name in ["[method]output-stream.splice", "[method]output-stream.blocking-splice"] {
        interface.function(name, |mut store, (output, input, length): (Output, Input, u64)| {
            Ok((splice(store.data_mut(), &output, &input, length)?,))
        });
    }
}

/// The next bytes of the request body, as many as there are up to `length`.
fn read(data: &mut StoreData, stream: &Input, length: u64) -> Result<Result<Bytes, StreamError>> {
    let body = data.request.body();
    let stream = data.resources.get_mut(stream.rep())?;
    let position = expect_entry!(stream, Entry::InputStream { position } => position);
    let rest = body.slice(*position..);
    if rest.is_empty() {
        return Ok(Err(StreamError::Closed));
    }
    let length = usize::try_from(length.min(MAX_CHUNK_BYTES))?.min(rest.len());
    *position += length;
    Ok(Ok(rest.slice(..length)))
}

/// The body that a stream writes to.
fn body_of(data: &StoreData, stream: &Output) -> Result<usize> {
    let stream = data.resources.get(stream.rep())?;
    Ok(expect_entry!(stream, Entry::OutputStream { body } => *body))
}

fn flush(data: &mut StoreData, stream: &Output) -> Result<Result<(), StreamError>> {
    let body = body_of(data, stream)?;
    let is_closed = data.body_mut(body)?.is_closed();
    Ok(if is_closed { Err(StreamError::Closed) } else { Ok(()) })
}

/// Makes room for a write of `length` bytes.
fn prepare(data: &mut StoreData, body: usize, length: usize) -> Result<Result<(), StreamError>> {
    let room = data
        .bodies
        .get_mut(body)
        .ok_or_else(missing)?
        .prepare(&mut data.memory, length)?;
    Ok(match room {
        Write::Accepted => Ok(()),
        Write::Closed => Err(StreamError::Closed),
        Write::TooLong(written) => Err(StreamError::LastOperationFailed(
            data.push(Entry::BodySizeError { written })?,
        )),
    })
}

fn write(mut store: Store<'_>, stream: &Output, contents: &WasmList<u8>, max: u64) -> Result<Result<(), StreamError>> {
    ensure_permitted(contents.len() as u64, max)?;
    let data = store.data_mut();
    let body = body_of(data, stream)?;
    let prepared = prepare(data, body, contents.len())?;
    if prepared.is_ok() {
        // Taken out, since the contents borrow the store.
        let mut bytes = mem::take(&mut data.body_mut(body)?.bytes);
        bytes.extend_from_slice(contents.as_le_slice(&store));
        store.data_mut().body_mut(body)?.bytes = bytes;
    }
    Ok(prepared)
}

fn write_zeroes(mut store: Store<'_>, stream: &Output, length: u64, max: u64) -> Result<Result<(), StreamError>> {
    ensure_permitted(length, max)?;
    let (data, length) = (store.data_mut(), usize::try_from(length)?);
    let body = body_of(data, stream)?;
    let prepared = prepare(data, body, length)?;
    if prepared.is_ok() {
        let bytes = &mut data.body_mut(body)?.bytes;
        bytes.resize(bytes.len() + length, 0);
    }
    Ok(prepared)
}

fn ensure_permitted(length: u64, max: u64) -> Result<()> {
    if length > max {
        bail!("a write of {length} bytes, where {max} are permitted");
    }
    Ok(())
}

/// Copies from the request to the response.
fn splice(data: &mut StoreData, output: &Output, input: &Input, length: u64) -> Result<Result<u64, StreamError>> {
    let body = body_of(data, output)?;
    if data.body_mut(body)?.is_closed() {
        return Ok(Err(StreamError::Closed));
    }
    if length == 0 {
        return Ok(Ok(0));
    }
    let contents = match read(data, input, length)? {
        Ok(contents) => contents,
        Err(error) => return Ok(Err(error)),
    };
    let prepared = prepare(data, body, contents.len())?;
    if prepared.is_ok() {
        data.body_mut(body)?.bytes.extend_from_slice(&contents);
    }
    Ok(prepared.map(|()| contents.len() as u64))
}
