//! Turns what has arrived into requests that hyper may receive.

use bytes::{Buf, BytesMut};
use tokio::io::ReadBuf;
use tokio::time::Instant;

use super::{ReadState, ValidatingReader};
use crate::http::head::{self, BodyFraming, CRLF, MAX_HEAD_BYTES};
use crate::http::io::body::BodyDecoder;
use crate::http::io::close::{Admission, RejectedPart};
use crate::http::problem::Rejection;

/// A response to HEAD has no content (RFC 9110 section 9.3.2), so that it needs a placeholder of its method.
pub(in crate::http::io) const PLACEHOLDER_REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: rejected\r\n\r\n";
pub(in crate::http::io) const PLACEHOLDER_HEAD_REQUEST: &[u8] = b"HEAD / HTTP/1.1\r\nhost: rejected\r\n\r\n";

/// Heads below this size leave the connection open. hyper's buffer grows for a larger one, and does not shrink.
const MAX_KEEP_ALIVE_HEAD: usize = 8 * 1024;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

impl<T> ValidatingReader<T> {
    /// Releases or rejects the head at the start of the buffer, if it is complete.
    pub(super) fn process_buffered(&mut self) {
        while self.buffer.starts_with(CRLF) {
            self.buffer.advance(CRLF.len());
            self.scanned = 0;
        }
        if !self.buffer.is_empty() && !self.close.end_idle() {
            self.state = ReadState::Closed;
            return;
        }
        match first_head(&self.buffer, self.scanned) {
            Ok(None) => self.scanned = self.buffer.len(),
            Ok(Some((end, framing))) => self.process_head(end, framing),
            Err(rejection) => self.reject_head(rejection),
        }
    }

    /// Releases a head without a body, or begins to read its body.
    fn process_head(&mut self, end: usize, framing: BodyFraming) {
        self.scanned = 0;
        let end = head::encode_query(&mut self.buffer, end);
        if framing == BodyFraming::None || self.limits.admission == Admission::Overloaded {
            return self.release(end, framing);
        }
        let received = self.buffer.split_off(end);
        let is_expected = head::take_expectation(&mut self.buffer);
        match BodyDecoder::new(framing, self.limits.max_body, &mut self.buffer) {
            Ok(body) => self.body = Some(body),
            Err(rejection) => return self.reject_body(rejection),
        }
        self.state = ReadState::Body;
        self.deadline.as_mut().reset(Instant::now() + self.limits.client);
        if !received.is_empty() {
            self.process_body(&received);
        } else if is_expected {
            self.interim = CONTINUE;
        }
    }

    /// Stores `received`, a part of the body. Releases the request once it is complete.
    pub(super) fn process_body(&mut self, received: &[u8]) {
        let Some(body) = &mut self.body else { return };
        match body.decode(received, &mut self.buffer) {
            Ok(false) => {}
            // What follows a body is not read.
            Ok(true) => self.release(self.buffer.len(), BodyFraming::Chunked),
            Err(rejection) => self.reject_body(rejection),
        }
    }

    fn release(&mut self, length: usize, framing: BodyFraming) {
        self.releasable = length;
        self.state = if framing == BodyFraming::None && length < MAX_KEEP_ALIVE_HEAD {
            ReadState::InFlight
        } else {
            self.close.set_last_request();
            ReadState::Closed
        };
    }

    pub(super) fn reject_head(&mut self, rejection: Rejection) {
        self.close.reject(RejectedPart::Head, rejection);
        let placeholder = if self.buffer.starts_with(b"HEAD ") {
            PLACEHOLDER_HEAD_REQUEST
        } else {
            PLACEHOLDER_REQUEST
        };
        self.buffer = placeholder.into();
        self.releasable = placeholder.len();
        self.state = ReadState::Closed;
    }

    pub(super) fn reject_body(&mut self, rejection: Rejection) {
        self.close.reject(RejectedPart::Body, rejection);
        // hyper parses the head only, and the handler looks no further.
        self.releasable = self.buffer.len();
        self.state = ReadState::Closed;
    }

    /// Releases `read` if it is a single head without a body: the usual case, which needs no copy.
    pub(super) fn releases(&mut self, read: &[u8]) -> bool {
        let is_head = self.buffer.is_empty()
            && !read.starts_with(CRLF)
            && matches!(first_head(read, 0), Ok(Some((end, BodyFraming::None))) if end == read.len())
            && !head::has_unencoded_query(read);
        let releases = is_head && self.close.end_idle();
        if releases {
            self.release(0, BodyFraming::None);
        }
        releases
    }

    pub(super) fn copy_released(&mut self, output: &mut ReadBuf<'_>) {
        let length = self.releasable.min(output.remaining());
        output.put_slice(self.buffer.get(..length).unwrap_or_default());
        self.buffer.advance(length);
        self.releasable -= length;
        if self.buffer.is_empty() {
            // Idle connections hold no buffer.
            self.buffer = BytesMut::new();
        }
    }
}

/// Validates the first head of `bytes` once it is complete; returns its end and framing.
fn first_head(bytes: &[u8], scanned: usize) -> Result<Option<(usize, BodyFraming)>, Rejection> {
    let end = head::find_end(bytes, scanned)?;
    if end.unwrap_or(bytes.len()) > MAX_HEAD_BYTES {
        return Err(head::oversized(bytes));
    }
    let Some(end) = end else {
        return head::validate_start(bytes).map(|()| None);
    };
    let framing = head::validate(bytes.get(..end).unwrap_or_default())?;
    Ok(Some((end, framing)))
}
