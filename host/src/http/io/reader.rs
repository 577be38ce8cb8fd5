//! The reading side: hyper receives one complete, validated request at a time.
//!
//! A rejected head is replaced by a placeholder request, so that hyper writes the error response in order and as any
//! other. Of a request with a rejected body, hyper receives the head. The handler looks at [`CloseState::rejection`].

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::body::{self, BodyDecoder, extend};
use super::close::{Admission, CloseState, RejectedPart};
use crate::http::head::{self, BodyFraming, CRLF, MAX_HEAD_BYTES};
use crate::http::problem::Rejection;

/// A response to HEAD has no content (RFC 9110 section 9.3.2), so that it needs a placeholder of its method.
pub(super) const PLACEHOLDER_REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: rejected\r\n\r\n";
pub(super) const PLACEHOLDER_HEAD_REQUEST: &[u8] = b"HEAD / HTTP/1.1\r\nhost: rejected\r\n\r\n";

/// How long an idle connection may still send a head once the server shuts down: one may be under way.
pub(super) const SHUTDOWN_READ_GRACE: Duration = Duration::from_millis(500);

/// Heads below this size leave the connection open. hyper's buffer grows for a larger one, and does not shrink.
const MAX_KEEP_ALIVE_HEAD: usize = 8 * 1024;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

#[derive(Clone, Copy)]
pub(in crate::http) struct ReadLimits {
    /// For a head, from its first byte, for the first head from the start of the connection; then for a body.
    pub(in crate::http) client: Duration,
    /// From a response to the first byte of the next head.
    pub(in crate::http) keep_alive: Duration,
    /// Bytes of a body.
    pub(in crate::http) max_body: usize,
    /// A connection over the limit gets its response without a body being read.
    pub(in crate::http) admission: Admission,
}

/// A stream from which hyper reads complete, validated requests only.
pub(in crate::http) struct ValidatingReader<T> {
    stream: T,
    close: Arc<CloseState>,
    limits: ReadLimits,
    state: ReadState,
    /// The end of `Idle`, `Head`, `FinalHead` and `Body`.
    deadline: Pin<Box<Sleep>>,
    /// Bytes that hyper has not received.
    buffer: BytesMut,
    /// Bytes of the buffer that contain no end of a head.
    scanned: usize,
    /// Bytes of the buffer that hyper may receive.
    releasable: usize,
    body: Option<BodyDecoder>,
    /// The rest of an interim response.
    interim: &'static [u8],
}

/// See the diagram in the module above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReadState {
    /// Waits for the first byte of the next head.
    Idle,
    /// Waits for the rest of a head.
    Head,
    /// The server shuts down: waits for the first byte of a head that may be under way.
    FinalHead,
    /// A request was released; its response is not complete.
    InFlight,
    /// Waits for the rest of a body.
    Body,
    /// No more input.
    Closed,
}

impl<T> ValidatingReader<T> {
    pub(in crate::http) fn new(stream: T, close: Arc<CloseState>, limits: ReadLimits) -> Self {
        Self {
            stream,
            close,
            limits,
            state: ReadState::Head,
            deadline: Box::pin(sleep(limits.client)),
            buffer: BytesMut::new(),
            scanned: 0,
            releasable: 0,
            body: None,
            interim: &[],
        }
    }

    /// Releases or rejects the head at the start of the buffer, if it is complete.
    fn process_buffered(&mut self) {
        while self.buffer.starts_with(CRLF) {
            self.buffer.advance(CRLF.len());
            self.scanned = 0;
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
        if framing == BodyFraming::None || self.limits.admission == Admission::Overloaded {
            return self.release(end, framing);
        }
        let received = self.buffer.split_off(end);
        let is_expected = head::take_expectation(&mut self.buffer);
        match BodyDecoder::new(framing, self.limits.max_body, &mut self.buffer) {
            Ok(body) => self.body = body,
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
    fn process_body(&mut self, received: &[u8]) {
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

    fn reject_head(&mut self, rejection: Rejection) {
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

    fn reject_body(&mut self, rejection: Rejection) {
        self.close.reject(RejectedPart::Body, rejection);
        // hyper parses the head only, and the handler looks no further.
        self.releasable = self.buffer.len();
        self.state = ReadState::Closed;
    }

    /// Releases `read` if it is a single head without a body: the usual case, which needs no copy.
    fn releases(&mut self, read: &[u8]) -> bool {
        let is_head = self.buffer.is_empty()
            && !read.starts_with(CRLF)
            && matches!(first_head(read, 0), Ok(Some((end, BodyFraming::None))) if end == read.len());
        if is_head {
            self.release(0, BodyFraming::None);
        }
        is_head
    }

    fn copy_released(&mut self, output: &mut ReadBuf<'_>) {
        let length = self.releasable.min(output.remaining());
        output.put_slice(self.buffer.get(..length).unwrap_or_default());
        self.buffer.advance(length);
        self.releasable -= length;
        if self.buffer.is_empty() {
            // Idle connections hold no buffer.
            self.buffer = BytesMut::new();
        }
    }

    /// Ready once the head or body is late. One that has begun gets a response.
    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let (state, timeout) = match (self.state, self.buffer.is_empty(), self.close.is_shutting_down()) {
            (ReadState::Body, ..) => (ReadState::Body, self.limits.client),
            (_, true, true) => (ReadState::FinalHead, SHUTDOWN_READ_GRACE),
            // The first head, or one of which only empty lines have arrived.
            (ReadState::Head, ..) | (_, false, _) => (ReadState::Head, self.limits.client),
            (_, true, false) => (ReadState::Idle, self.limits.keep_alive),
        };
        if self.state != state {
            self.state = state;
            self.deadline.as_mut().reset(Instant::now() + timeout);
        }
        // `Sleep::poll` needs cooperative budget, which a flood of empty lines exhausts.
        if !self.deadline.is_elapsed() {
            ready!(self.deadline.as_mut().poll(context));
        }
        if state == ReadState::Body {
            self.reject_body(body::LATE);
        } else if self.buffer.is_empty() {
            self.state = ReadState::Closed;
        } else {
            self.reject_head(Rejection::new(
                StatusCode::REQUEST_TIMEOUT,
                "the request head was not received in time",
            ));
        }
        Poll::Ready(())
    }
}

impl<T: AsyncWrite + Unpin> ValidatingReader<T> {
    /// Sends the interim response. Earlier responses have been sent: hyper reads a head only after it has flushed.
    fn poll_interim(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.interim.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, self.interim))?;
            self.interim = self.interim.get(written..).unwrap_or_default();
        }
        Pin::new(&mut self.stream).poll_flush(context)
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

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for ValidatingReader<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        output: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if this.releasable > 0 {
                this.copy_released(output);
                return Poll::Ready(Ok(()));
            }
            match this.state {
                ReadState::Closed => return Poll::Ready(Ok(())),
                ReadState::Body => ready!(this.poll_interim(context))?,
                _ if this.buffer.len() > this.scanned => {
                    this.process_buffered();
                    continue;
                }
                ReadState::Idle | ReadState::Head | ReadState::FinalHead | ReadState::InFlight => {}
            }
            // The spare room of hyper's buffer holds what arrives until it is examined.
            let before = output.filled().len();
            match Pin::new(&mut this.stream).poll_read(context, output) {
                Poll::Ready(read) => read?,
                Poll::Pending => {
                    ready!(this.poll_deadline(context));
                    continue;
                }
            }
            let read = output.filled().get(before..).unwrap_or_default();
            match (this.state, read) {
                (ReadState::Body, []) => this.reject_body(body::INCOMPLETE),
                // The client has closed its side. An incomplete head gets no response.
                (_, []) => return Poll::Ready(Ok(())),
                (ReadState::Body, read) => this.process_body(read),
                _ if this.releases(read) => return Poll::Ready(Ok(())),
                _ => extend(&mut this.buffer, read, MAX_HEAD_BYTES),
            }
            output.set_filled(before);
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for ValidatingReader<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
