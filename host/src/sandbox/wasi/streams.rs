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
use super::store::{Entry, Interface, StoreData, expect_entry};

/// Bytes of one read, and the permit of `check-write`.
const MAX_CHUNK_BYTES: u64 = 64 * 1024;

/// Bytes of one `blocking-write-and-flush` or `blocking-write-zeroes-and-flush`.
const MAX_BLOCKING_WRITE_BYTES: u64 = 4096;

type Input = Resource<InputStream>;
type Output = Resource<OutputStream>;
type Outcome<T> = Result<Result<T, StreamError>>;

/// Defines `wasi:io/error`.
pub(super) fn define_error(interface: &mut Interface<'_>) -> Result<()> {
    interface.resource::<Error>("error")?;
    interface.function("[method]error.to-debug-string", |data, (error,): (Resource<Error>,)| {
        let written = expect_entry!(data.get(&error)?, Entry::BodySizeError { written } => *written);
        Ok(format!("the body has {written} bytes, more than its content-length"))
    })
}

/// Defines `wasi:io/poll`. Nothing waits, so every pollable is ready.
pub(super) fn define_poll(interface: &mut Interface<'_>) -> Result<()> {
    interface.resource::<Pollable>("pollable")?;
    interface.function("[method]pollable.ready", |_, (_,): (Resource<Pollable>,)| Ok(true))?;
    interface.function_of_store("[method]pollable.block", |_, (_,): (Resource<Pollable>,)| Ok(()))?;
    interface.function("poll", |_, (pollables,): (Vec<Resource<Pollable>>,)| {
        if pollables.is_empty() {
            bail!("`poll` was called with an empty list");
        }
        Ok((0..u32::try_from(pollables.len())?).collect::<Vec<_>>())
    })
}

/// Defines `wasi:io/streams`.
pub(super) fn define_streams(interface: &mut Interface<'_>) -> Result<()> {
    interface.resource::<InputStream>("input-stream")?;
    interface.resource::<OutputStream>("output-stream")?;
    interface.function("[method]input-stream.subscribe", |data, (stream,): (Input,)| {
        data.push_child::<Pollable, _>(Entry::Pollable, &stream)
    })?;
    interface.function("[method]output-stream.subscribe", |data, (stream,): (Output,)| {
        data.push_child::<Pollable, _>(Entry::Pollable, &stream)
    })?;
    interface.function("[method]output-stream.check-write", |data, stream| {
        Ok(flush(data, stream)?.map(|()| MAX_CHUNK_BYTES))
    })?;
    for (blocking, flushing, max) in [
        ("", "", MAX_CHUNK_BYTES),
        ("blocking-", "-and-flush", MAX_BLOCKING_WRITE_BYTES),
    ] {
        let input = |function| format!("[method]input-stream.{blocking}{function}");
        let output = |function: &str| format!("[method]output-stream.{blocking}{function}");
        interface.function(&input("read"), read)?;
        interface.function(&input("skip"), |data, params| {
            Ok(read(data, params)?.map(|bytes| bytes.len() as u64))
        })?;
        interface.function_of_store(&output(&format!("write{flushing}")), move |store, params| {
            Ok((write(store, params, max)?,))
        })?;
        interface.function(&output(&format!("write-zeroes{flushing}")), move |data, params| {
            write_zeroes(data, params, max)
        })?;
        interface.function(&output("flush"), flush)?;
        interface.function(&output("splice"), splice)?;
    }
    Ok(())
}

/// The next bytes of the request body, as many as there are up to `length`.
fn read(data: &mut StoreData, (stream, length): (Input, u64)) -> Outcome<Bytes> {
    let body = data.request.body().clone();
    let position = expect_entry!(data.get(&stream)?, Entry::InputStream { position } => position);
    let rest = body.slice(*position..);
    if rest.is_empty() {
        return Ok(Err(StreamError::Closed));
    }
    let length = usize::try_from(length.min(MAX_CHUNK_BYTES))?.min(rest.len());
    *position += length;
    Ok(Ok(rest.slice(..length)))
}

/// The body that a stream writes to.
fn body_of(data: &mut StoreData, stream: &Output) -> Result<usize> {
    Ok(expect_entry!(data.get(stream)?, Entry::OutputStream { body } => *body))
}

fn flush(data: &mut StoreData, (stream,): (Output,)) -> Outcome<()> {
    let body = body_of(data, &stream)?;
    let is_closed = data.body_mut(body)?.is_closed;
    Ok(if is_closed { Err(StreamError::Closed) } else { Ok(()) })
}

/// Lets `write` append `length` bytes to a body, if it has room for them.
fn append(data: &mut StoreData, body: usize, length: usize, write: impl FnOnce(&mut Vec<u8>)) -> Outcome<()> {
    let target = data.body_mut(body)?;
    if target.is_closed {
        return Ok(Err(StreamError::Closed));
    }
    if let Err(written) = target.count(length) {
        let error = data.push(Entry::BodySizeError { written })?;
        return Ok(Err(StreamError::LastOperationFailed(error)));
    }
    data.spend_body_bytes(length)?;
    write(&mut data.body_mut(body)?.bytes);
    Ok(Ok(()))
}

fn write(
    mut store: StoreContextMut<'_, StoreData>,
    (stream, contents): (Output, WasmList<u8>),
    max: u64,
) -> Outcome<()> {
    ensure_permitted(contents.len() as u64, max)?;
    let body = body_of(store.data_mut(), &stream)?;
    // Taken out, since the contents borrow the store.
    let mut bytes = Vec::new();
    let accepted = append(store.data_mut(), body, contents.len(), |target| {
        bytes = mem::take(target);
    })?;
    if accepted.is_ok() {
        bytes.extend_from_slice(contents.as_le_slice(&store));
        store.data_mut().body_mut(body)?.bytes = bytes;
    }
    Ok(accepted)
}

fn write_zeroes(data: &mut StoreData, (stream, length): (Output, u64), max: u64) -> Outcome<()> {
    ensure_permitted(length, max)?;
    let body = body_of(data, &stream)?;
    let length = usize::try_from(length)?;
    append(data, body, length, |bytes| bytes.resize(bytes.len() + length, 0))
}

fn ensure_permitted(length: u64, max: u64) -> Result<()> {
    if length > max {
        bail!("a write of {length} bytes, where {max} are permitted");
    }
    Ok(())
}

/// Copies from the request to the response.
fn splice(data: &mut StoreData, (output, input, length): (Output, Input, u64)) -> Outcome<u64> {
    let body = body_of(data, &output)?;
    if data.body_mut(body)?.is_closed {
        return Ok(Err(StreamError::Closed));
    }
    if length == 0 {
        return Ok(Ok(0));
    }
    let contents = match read(data, (input, length))? {
        Ok(contents) => contents,
        Err(error) => return Ok(Err(error)),
    };
    let accepted = append(data, body, contents.len(), |bytes| bytes.extend_from_slice(&contents))?;
    Ok(accepted.map(|()| contents.len() as u64))
}
