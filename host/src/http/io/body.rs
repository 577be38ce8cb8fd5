//! The body of a request, decoded while it arrives.
//!
//! Only its content is stored: chunk sizes, extensions and trailers are checked and skipped. hyper receives a chunked
//! body as a single chunk, so that it never interprets what the client has sent.

use bytes::BytesMut;
use http::StatusCode;

use crate::http::head::{BodyFraming, CRLF, MAX_HEAD_BYTES, is_text, is_token};
use crate::http::problem::Rejection;
use State::{Data, DataEnd, DataLf, Done, Extension, LastLf, Line, Name, Padding, Size, SizeLf, TrailerLf, Value};

/// The size line of the single chunk, with room for any size, and what follows its content.
const CHUNK_SIZE: &[u8] = b"0000000000000000\r\n";
const CHUNK_END: &[u8] = b"\r\n0\r\n\r\n";

pub(super) const TOO_LARGE: Rejection = Rejection::new(
    StatusCode::PAYLOAD_TOO_LARGE,
    "the request body is larger than the limit",
);

pub(in crate::http) const INCOMPLETE: Rejection = Rejection::new(
    StatusCode::BAD_REQUEST,
    "the request body is incomplete or contradicts its framing",
);

pub(super) const LATE: Rejection =
    Rejection::new(StatusCode::REQUEST_TIMEOUT, "the request body was not received in time");

/// Appends `bytes`. The capacity doubles, but not beyond `max`, unless the bytes need it.
pub(super) fn extend(buffer: &mut BytesMut, bytes: &[u8], max: usize) {
    let needed = buffer.len() + bytes.len();
    if needed > buffer.capacity() {
        let mut larger = BytesMut::with_capacity((2 * buffer.capacity()).min(max).max(needed));
        larger.extend_from_slice(buffer);
        *buffer = larger;
    }
    buffer.extend_from_slice(bytes);
}

/// Decodes one body.
pub(super) struct BodyDecoder {
    state: State,
    is_chunked: bool,
    /// Bytes of content that may still come.
    allowance: usize,
    /// Bytes of extensions and trailers so far.
    skipped: usize,
    /// The content begins here in the buffer.
    start: usize,
    /// Bytes of the buffer if the content has its maximum length.
    max_buffer: usize,
}

/// What the next byte belongs to. The numbers are bytes of the chunk.
#[derive(Clone, Copy)]
enum State {
    /// The digits of a chunk size.
    Size(Option<u64>),
    /// White space behind them.
    Padding(u64),
    Extension(u64),
    SizeLf(u64),
    /// Content.
    Data(u64),
    /// The line ending behind it.
    DataEnd,
    DataLf,
    /// A trailer or the empty line.
    Line,
    /// The name of a trailer.
    Name,
    Value,
    TrailerLf,
    LastLf,
    Done,
}

impl BodyDecoder {
    /// A decoder for a body of at most `max` bytes that appends to `buffer`, which ends with the head.
    pub(super) fn new(framing: BodyFraming, max: usize, buffer: &mut BytesMut) -> Result<Self, Rejection> {
        let (state, allowance) = if let BodyFraming::Length(length) = framing {
            let allowance = usize::try_from(length).ok().filter(|length| *length <= max);
            (Data(length), allowance.ok_or(TOO_LARGE)?)
        } else {
            (Size(None), max)
        };
        let is_chunked = framing == BodyFraming::Chunked;
        let placeholder = if is_chunked { CHUNK_SIZE } else { &[] };
        let start = buffer.len() + placeholder.len();
        let max_buffer = start + allowance + CHUNK_END.len();
        extend(buffer, placeholder, max_buffer);
        Ok(Self {
            state,
            is_chunked,
            allowance,
            skipped: 0,
            start,
            max_buffer,
        })
    }

    /// Appends the content of `input` to `buffer`. Returns whether the body is complete.
    pub(super) fn decode(&mut self, mut input: &[u8], buffer: &mut BytesMut) -> Result<bool, Rejection> {
        while let Some((byte, rest)) = input.split_first() {
            if let Data(expected) = self.state {
                let length = usize::try_from(expected).map_or(input.len(), |expected| expected.min(input.len()));
                let (content, rest) = input.split_at_checked(length).unwrap_or_default();
                extend(buffer, content, self.max_buffer);
                self.allowance = self.allowance.saturating_sub(length);
                input = rest;
                self.state = match (expected - length as u64, self.is_chunked) {
                    (0, true) => DataEnd,
                    (0, false) => Done,
                    (expected, _) => Data(expected),
                };
            } else {
                input = rest;
                self.state = self.state.next(*byte).ok_or(INCOMPLETE)?;
                self.skipped += usize::from(self.state.is_skipped());
                if self.skipped > MAX_HEAD_BYTES {
                    return Err(INCOMPLETE);
                }
                if let Data(size) = self.state
                    && size > self.allowance as u64
                {
                    return Err(TOO_LARGE);
                }
            }
            if let Done = self.state {
                self.finish(buffer);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Turns the content into a single chunk, if the head says that it is chunked.
    fn finish(&self, buffer: &mut BytesMut) {
        if !self.is_chunked {
            return;
        }
        let length = buffer.len() - self.start;
        if length == 0 {
            // The size that is there is that of the last chunk.
            extend(buffer, CRLF, self.max_buffer);
        } else if let Some(size) = buffer.get_mut(self.start - CHUNK_SIZE.len()..self.start) {
            size.copy_from_slice(format!("{length:016x}\r\n").as_bytes());
            extend(buffer, CHUNK_END, self.max_buffer);
        }
    }
}

impl State {
    /// The state after `byte` (RFC 9112 section 7.1); `None` if the byte is invalid here.
    fn next(self, byte: u8) -> Option<Self> {
        let digit = char::from(byte).to_digit(16).map(u64::from);
        Some(match (self, byte) {
            (Size(Some(size)) | Padding(size) | Extension(size), b'\r') => SizeLf(size),
            (Size(Some(size)) | Padding(size), b' ' | b'\t') => Padding(size),
            (Size(Some(size)) | Padding(size), b';') => Extension(size),
            (Size(size), _) => Size(Some(size.unwrap_or_default().checked_mul(16)? + digit?)),
            (Extension(size), byte) if is_text(byte) => Extension(size),
            (SizeLf(0) | TrailerLf, b'\n') => Line,
            (SizeLf(size), b'\n') => Data(size),
            (DataEnd, b'\r') => DataLf,
            (DataLf, b'\n') => Size(None),
            (Line, b'\r') => LastLf,
            (Line | Name, byte) if is_token(byte) => Name,
            (Name, b':') => Value,
            (Value, b'\r') => TrailerLf,
            (Value, byte) if is_text(byte) => Value,
            (LastLf, b'\n') => Done,
            _ => return None,
        })
    }

    /// Whether the byte that led here belongs to an extension or a trailer.
    fn is_skipped(self) -> bool {
        matches!(self, Padding(_) | Extension(_) | Name | Value)
    }
}
