//! The reading side of a connection: one head at a time goes through to hyper, whole and examined.
//!
//! In place of a head that is rejected, hyper gets a request of the host's own, so that it answers in its turn, after
//! the requests before it and with all that belongs to a response. [`Ending`] tells it from those of the client.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::ending::Ending;
use super::head::{self, EMPTY_LINE, Framing, HEAD_LIMIT};
use super::problem::Rejection;

/// What hyper gets in place of a rejected head. The answer to HEAD has no content (RFC 9110 section 9.3.2).
const SUBSTITUTE: &[u8] = b"GET / HTTP/1.1\r\nhost: rejected\r\n\r\n";
const SUBSTITUTE_FOR_HEAD: &[u8] = b"HEAD / HTTP/1.1\r\nhost: rejected\r\n\r\n";

/// How long a connection that waits for a request may still bring it once the service ends: it may be on its way.
const LAST_CALL: Duration = Duration::from_millis(500);

/// How long a client may take.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// For a head, from its first byte; for the first head from the start of the connection.
    pub(super) head: Duration,
    /// Between two heads.
    pub(super) idle: Duration,
}

/// A stream of which hyper reads examined heads only.
pub(super) struct Screen<T> {
    stream: T,
    ending: Arc<Ending>,
    patience: Patience,
    deadline: Pin<Box<Sleep>>,
    awaits: Awaits,
    reads: Reads,
    /// What has been read and not gone through yet.
    held: BytesMut,
    /// How much of that was searched for the end of a head.
    seen: usize,
    /// How much of that may go through.
    cleared: usize,
}

/// What the deadline is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Awaits {
    /// Nothing: a request is being answered.
    Nothing,
    /// The first byte of a head.
    Head,
    /// The rest of a head.
    Rest,
    /// The first byte of a last head.
    Last,
}

enum Reads {
    /// A head.
    Head,
    /// A body, and nothing after it.
    Body,
    /// Nothing any more.
    Nothing,
}

impl<T> Screen<T> {
    /// Screens `stream`.
    pub(super) fn new(stream: T, ending: Arc<Ending>, patience: Patience) -> Self {
        Self {
            stream,
            ending,
            patience,
            deadline: Box::pin(sleep(patience.head)),
            awaits: Awaits::Rest,
            reads: Reads::Head,
            held: BytesMut::new(),
            seen: 0,
            cleared: 0,
        }
    }

    /// Clears the head at the start of what is held, or rejects it. As long as it is not whole nothing changes.
    fn judge(&mut self) {
        while self.held.starts_with(EMPTY_LINE) {
            self.held.advance(EMPTY_LINE.len());
            self.seen = 0;
        }
        match examine(&self.held, self.seen) {
            Ok(None) => self.seen = self.held.len(),
            Ok(Some((end, framing))) => self.clear(end, framing),
            Err(rejection) => self.reject(rejection),
        }
    }

    fn clear(&mut self, end: usize, framing: Framing) {
        self.awaits = Awaits::Nothing;
        self.seen = 0;
        self.cleared = end;
        if framing == Framing::Body {
            self.cleared = self.held.len();
            self.reads = Reads::Body;
        }
    }

    fn reject(&mut self, rejection: Rejection) {
        self.ending.reject(rejection);
        let substitute = if self.held.starts_with(b"HEAD ") {
            SUBSTITUTE_FOR_HEAD
        } else {
            SUBSTITUTE
        };
        self.held = substitute.into();
        self.clear(substitute.len(), Framing::Head);
        self.reads = Reads::Nothing;
    }

    fn pass(&mut self, buffer: &mut ReadBuf<'_>) {
        let length = self.cleared.min(buffer.remaining());
        buffer.put_slice(self.held.get(..length).unwrap_or_default());
        self.held.advance(length);
        self.cleared -= length;
        if self.held.is_empty() {
            // A connection that idles keeps no room for the next head.
            self.held = BytesMut::new();
        }
    }

    /// Waits for a head until it is late. One that has begun is answered for, else the connection just ends.
    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let (awaits, patience) = match (self.held.is_empty(), self.ending.is_near()) {
            (false, _) => (Awaits::Rest, self.patience.head),
            (true, false) => (Awaits::Head, self.patience.idle),
            (true, true) => (Awaits::Last, LAST_CALL),
        };
        // The first head is awaited as if it had begun.
        if self.awaits != awaits && (self.awaits, awaits) != (Awaits::Rest, Awaits::Head) {
            self.awaits = awaits;
            self.deadline.as_mut().reset(Instant::now() + patience);
        }
        // To be polled it needs a share of what a task may do at a time, which a flood of empty lines uses up.
        if !self.deadline.is_elapsed() {
            ready!(self.deadline.as_mut().poll(context));
        }
        if self.held.is_empty() {
            self.reads = Reads::Nothing;
        } else {
            self.reject(Rejection::new(
                StatusCode::REQUEST_TIMEOUT,
                "the head of the request did not come in time",
            ));
        }
        Poll::Ready(())
    }
}

/// The first head of `held`, once it is whole: where it ends, and what follows.
fn examine(held: &[u8], seen: usize) -> Result<Option<(usize, Framing)>, Rejection> {
    let end = head::end(held, seen)?;
    if end.unwrap_or(held.len()) > HEAD_LIMIT {
        return Err(head::too_long(held));
    }
    let Some(end) = end else { return Ok(None) };
    let framing = head::examine(held.get(..end).unwrap_or_default())?;
    Ok(Some((end, framing)))
}

impl<T: AsyncRead + Unpin> AsyncRead for Screen<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if this.cleared > 0 {
                this.pass(buffer);
                return Poll::Ready(Ok(()));
            }
            match this.reads {
                Reads::Head => {}
                Reads::Body => return Pin::new(&mut this.stream).poll_read(context, buffer),
                Reads::Nothing => return Poll::Ready(Ok(())),
            }
            if this.held.len() > this.seen {
                this.judge();
                continue;
            }
            let before = buffer.filled().len();
            match Pin::new(&mut this.stream).poll_read(context, buffer) {
                Poll::Ready(read) => read?,
                Poll::Pending => {
                    ready!(this.poll_late(context));
                    continue;
                }
            }
            let read = buffer.filled().get(before..).unwrap_or_default();
            if read.is_empty() {
                // The client has said all; half a head is no request.
                return Poll::Ready(Ok(()));
            }
            if this.held.is_empty()
                && !read.starts_with(EMPTY_LINE)
                && let Ok(Some((end, framing))) = examine(read, 0)
                && end == read.len()
            {
                // What comes as one head, as nearly all do, goes through where it is.
                this.clear(0, framing);
                return Poll::Ready(Ok(()));
            }
            this.held.extend_from_slice(read);
            buffer.set_filled(before);
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Screen<T> {
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
