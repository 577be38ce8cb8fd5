//! The reading side: hyper receives one complete, validated head at a time.
//!
//! A rejected head is replaced by a placeholder request, so that hyper writes the error response in order and as any
//! other. The handler recognizes the placeholder by [`CloseState::rejection`].

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::close::CloseState;
use crate::http::head::{self, BodyFraming, CRLF, MAX_HEAD_BYTES};
use crate::http::problem::Rejection;

/// A response to HEAD has no content (RFC 9110 section 9.3.2), so that it needs a placeholder of its method.
pub(super) const PLACEHOLDER_REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: rejected\r\n\r\n";
pub(super) const PLACEHOLDER_HEAD_REQUEST: &[u8] = b"HEAD / HTTP/1.1\r\nhost: rejected\r\n\r\n";

/// How long an idle connection may still send a head once the server shuts down: one may be under way.
pub(super) const SHUTDOWN_READ_GRACE: Duration = Duration::from_millis(500);

#[derive(Clone, Copy)]
pub(in crate::http) struct ReadTimeouts {
    /// For a head, from its first byte; for the first head from the start of the connection.
    pub(in crate::http) header: Duration,
    /// From a response to the first byte of the next head.
    pub(in crate::http) keep_alive: Duration,
}

/// A stream from which hyper reads validated heads only.
pub(in crate::http) struct ValidatingReader<T> {
    stream: T,
    close: Arc<CloseState>,
    timeouts: ReadTimeouts,
    state: ReadState,
    /// The end of `Idle`, `Head` and `FinalHead`.
    deadline: Pin<Box<Sleep>>,
    /// Bytes that hyper has not received.
    buffer: BytesMut,
    /// Bytes of the buffer that contain no end of a head.
    scanned: usize,
    /// Bytes of the buffer that hyper may receive.
    releasable: usize,
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
    /// A head was released; its response is not complete.
    InFlight,
    /// A head with a body was released: hyper reads the body from the stream.
    Body,
    /// No more input.
    Closed,
}

impl<T> ValidatingReader<T> {
    pub(in crate::http) fn new(stream: T, close: Arc<CloseState>, timeouts: ReadTimeouts) -> Self {
        Self {
            stream,
            close,
            timeouts,
            state: ReadState::Head,
            deadline: Box::pin(sleep(timeouts.header)),
            buffer: BytesMut::new(),
            scanned: 0,
            releasable: 0,
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
            Ok(Some((end, framing))) => self.release(end, framing),
            Err(rejection) => self.reject(rejection),
        }
    }

    fn release(&mut self, end: usize, framing: BodyFraming) {
        self.scanned = 0;
        (self.state, self.releasable) = match framing {
            BodyFraming::None => (ReadState::InFlight, end),
            BodyFraming::Present => (ReadState::Body, self.buffer.len()),
        };
    }

    fn reject(&mut self, rejection: Rejection) {
        self.close.reject(rejection);
        let placeholder = if self.buffer.starts_with(b"HEAD ") {
            PLACEHOLDER_HEAD_REQUEST
        } else {
            PLACEHOLDER_REQUEST
        };
        self.buffer = placeholder.into();
        self.release(placeholder.len(), BodyFraming::None);
        self.state = ReadState::Closed;
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

    /// Ready once the head is late. One that has begun gets a response.
    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let (state, timeout) = match (self.state, self.buffer.is_empty(), self.close.is_shutting_down()) {
            (_, true, true) => (ReadState::FinalHead, SHUTDOWN_READ_GRACE),
            // The first head, or one of which only empty lines have arrived.
            (ReadState::Head, ..) | (_, false, _) => (ReadState::Head, self.timeouts.header),
            (_, true, false) => (ReadState::Idle, self.timeouts.keep_alive),
        };
        if self.state != state {
            self.state = state;
            self.deadline.as_mut().reset(Instant::now() + timeout);
        }
        // `Sleep::poll` needs cooperative budget, which a flood of empty lines exhausts.
        if !self.deadline.is_elapsed() {
            ready!(self.deadline.as_mut().poll(context));
        }
        if self.buffer.is_empty() {
            self.state = ReadState::Closed;
        } else {
            self.reject(Rejection::new(
                StatusCode::REQUEST_TIMEOUT,
                "the request head was not received in time",
            ));
        }
        Poll::Ready(())
    }
}

/// Validates the first head of `bytes` once it is complete; returns its end and framing.
fn first_head(bytes: &[u8], scanned: usize) -> Result<Option<(usize, BodyFraming)>, Rejection> {
    let end = head::find_end(bytes, scanned)?;
    if end.unwrap_or(bytes.len()) > MAX_HEAD_BYTES {
        return Err(head::oversized(bytes));
    }
    let Some(end) = end else { return Ok(None) };
    let framing = head::validate(bytes.get(..end).unwrap_or_default())?;
    Ok(Some((end, framing)))
}

impl<T: AsyncRead + Unpin> AsyncRead for ValidatingReader<T> {
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
                ReadState::Body => return Pin::new(&mut this.stream).poll_read(context, output),
                ReadState::Closed => return Poll::Ready(Ok(())),
                ReadState::Idle | ReadState::Head | ReadState::FinalHead | ReadState::InFlight => {}
            }
            if this.buffer.len() > this.scanned {
                this.process_buffered();
                continue;
            }
            let before = output.filled().len();
            match Pin::new(&mut this.stream).poll_read(context, output) {
                Poll::Ready(read) => read?,
                Poll::Pending => {
                    ready!(this.poll_deadline(context));
                    continue;
                }
            }
            let read = output.filled().get(before..).unwrap_or_default();
            if read.is_empty() {
                // The client has closed its side. An incomplete head gets no response.
                return Poll::Ready(Ok(()));
            }
            if this.buffer.is_empty()
                && !read.starts_with(CRLF)
                && let Ok(Some((end, framing))) = first_head(read, 0)
                && end == read.len()
            {
                // The usual case, one read with one head, needs no copy.
                this.release(0, framing);
                return Poll::Ready(Ok(()));
            }
            this.buffer.extend_from_slice(read);
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
