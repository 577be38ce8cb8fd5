//! The reading side: hyper receives one complete, validated request at a time.
//!
//! A rejected head is replaced by a placeholder request, so that hyper writes the error response in order and as any
//! other. Of a request with a rejected body, hyper receives the head. The handler looks at [`CloseState::rejection`].

mod process;

#[cfg(test)]
pub(super) use process::{PLACEHOLDER_HEAD_REQUEST, PLACEHOLDER_REQUEST};

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::body::{self, BodyDecoder, extend};
use super::close::{Admission, CloseState};
use crate::http::head::MAX_HEAD_BYTES;
use crate::http::problem::Rejection;

/// How long an idle connection may still send a head once the server shuts down: one may be under way.
pub(super) const SHUTDOWN_READ_GRACE: Duration = Duration::from_millis(500);

/// The longest idle time while few further connections can be accepted.
const MAX_PRESSED_KEEP_ALIVE: Duration = Duration::from_secs(5);

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

impl ReadLimits {
    fn pressed_keep_alive(&self) -> Duration {
        self.keep_alive.min(MAX_PRESSED_KEEP_ALIVE)
    }
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

    /// Ready once the head or body is late. One that has begun gets a response.
    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let (state, timeout) = match (self.state, self.buffer.is_empty(), self.close.is_shutting_down()) {
            (ReadState::Body, ..) => (ReadState::Body, self.limits.client),
            (_, true, true) => (ReadState::FinalHead, SHUTDOWN_READ_GRACE),
            // The first head, or one of which only empty lines have arrived.
            (ReadState::Head, ..) | (_, false, _) => (ReadState::Head, self.limits.client),
            (_, true, false) if self.close.is_under_pressure() => (ReadState::Idle, self.limits.pressed_keep_alive()),
            (_, true, false) => (ReadState::Idle, self.limits.keep_alive),
        };
        if self.state != state {
            let now = Instant::now();
            self.state = state;
            self.deadline.as_mut().reset(now + timeout);
            if state == ReadState::Idle {
                self.close.begin_idle(now.into_std());
            }
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
