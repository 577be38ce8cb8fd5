//! The time limit for a client to receive a response. Meanwhile its connection is busy.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::idle::IdleSince;

/// A stream with a time limit from the first write that waits to the end of the next flush. Partial writes do not
/// extend it, so that a client cannot receive a response byte by byte.
///
/// Writes are not vectored: hyper then copies head and body, which are small, into one buffer.
pub(super) struct WriteTimeout<'a, T> {
    stream: T,
    limit: Duration,
    /// Set while a write is pending.
    deadline: Option<Pin<Box<Sleep>>>,
    /// A connection with a pending write is not idle.
    idle: &'a IdleSince,
}

impl<'a, T> WriteTimeout<'a, T> {
    pub(super) fn new(stream: T, limit: Duration, idle: &'a IdleSince) -> Self {
        Self {
            stream,
            limit,
            deadline: None,
            idle,
        }
    }

    pub(super) fn into_inner(self) -> T {
        self.stream
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for WriteTimeout<'_, T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for WriteTimeout<'_, T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        if written.is_ready() {
            return written;
        }
        let deadline = this.deadline.get_or_insert_with(|| {
            this.idle.set_busy();
            Box::pin(sleep(this.limit))
        });
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        if self.deadline.take().is_some() {
            self.idle.set_idle();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
