//! The writing side of a connection: a client has to take what it asked for, and is given the time to.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::ending::Ending;

/// How long an end that the host has decided on waits for the client's own. A socket that is closed while bytes
/// of the client are on their way takes the answer with it (RFC 9112 section 9.6).
const LINGER: Duration = Duration::from_secs(1);

/// A stream whose writes do not wait for ever.
pub(super) struct Delivery<T> {
    stream: T,
    ending: Arc<Ending>,
    patience: Duration,
    /// When what is being written has to be taken; none as long as nothing waits.
    deadline: Option<Pin<Box<Sleep>>>,
    is_shut: bool,
}

impl<T> Delivery<T> {
    /// Gives the client of `stream` `patience` to take what is written from one flush to the next.
    pub(super) fn new(stream: T, ending: Arc<Ending>, patience: Duration) -> Self {
        Self {
            stream,
            ending,
            patience,
            deadline: None,
            is_shut: false,
        }
    }

    /// What a write comes to: the deadline runs from the first that waits, whatever is taken in between.
    fn poll_taken(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            return written;
        }
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(self.patience)));
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Delivery<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Delivery<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.poll_taken(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.poll_taken(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Comes once all is written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.deadline = None;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.is_shut {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
            this.is_shut = true;
            this.deadline = this.ending.is_ours().then(|| Box::pin(sleep(LINGER)));
        }
        let Some(deadline) = &mut this.deadline else {
            return Poll::Ready(Ok(()));
        };
        // First of all: the reads may use up what a task may do at a time.
        if deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let mut unread = [0; 1024];
        loop {
            let mut unread = ReadBuf::new(&mut unread);
            match ready!(Pin::new(&mut this.stream).poll_read(context, &mut unread)) {
                Ok(()) if !unread.filled().is_empty() => {}
                // The client has closed its side too, or is gone.
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}
