//! The writing side: a client has to receive a response in time.
//!
//! Writes are not vectored: hyper then copies head and body, which are small, into one buffer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::close::CloseState;

/// How long a connection that the server closes waits for the client to close its side. Closing a socket with unread
/// bytes resets it, and the response may be lost (RFC 9112 section 9.6).
pub(super) const LINGERING_CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A stream with a timeout for writes, and a lingering close.
pub(in crate::http) struct TimeoutWriter<T> {
    stream: T,
    close: Arc<CloseState>,
    write_timeout: Duration,
    /// Set while a write is pending.
    deadline: Option<Pin<Box<Sleep>>>,
    write_closed: bool,
    /// Set from the shutdown of the writing side on, if the close lingers.
    linger: Option<Pin<Box<Sleep>>>,
}

impl<T> TimeoutWriter<T> {
    /// `write_timeout` is the time from the first pending write to the end of the next flush.
    pub(in crate::http) fn new(stream: T, close: Arc<CloseState>, write_timeout: Duration) -> Self {
        Self {
            stream,
            close,
            write_timeout,
            deadline: None,
            write_closed: false,
            linger: None,
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for TimeoutWriter<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TimeoutWriter<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        if written.is_ready() {
            return written;
        }
        // Partial writes do not extend it, so that a client cannot drain a response byte by byte.
        let deadline = this.deadline.get_or_insert_with(|| Box::pin(sleep(this.write_timeout)));
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.deadline = None;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.write_closed {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
            this.write_closed = true;
            let lingers = this.close.closed_by_server();
            this.linger = lingers.then(|| Box::pin(sleep(LINGERING_CLOSE_TIMEOUT)));
        }
        let Some(deadline) = &mut this.linger else {
            return Poll::Ready(Ok(()));
        };
        // The deadline first: the reads may use up the cooperative budget that it needs.
        let mut done = deadline.as_mut().poll(context).is_ready();
        let mut discarded = [0; 1024];
        while !done {
            let mut discarded = ReadBuf::new(&mut discarded);
            let read = ready!(Pin::new(&mut this.stream).poll_read(context, &mut discarded));
            // The client has closed its side, or has gone.
            done = read.is_err() || discarded.filled().is_empty();
        }
        Poll::Ready(Ok(()))
    }
}
