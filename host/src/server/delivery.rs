//! The writing side of a connection: a client has to take what it asked for, and is given the time to.
//!
//! It takes one piece at a time, not several: hyper then puts head and body, which are small, into one.

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
    /// Until when the reading side is waited for once the writing side is shut; none where it is not.
    linger: Option<Pin<Box<Sleep>>>,
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
            linger: None,
        }
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
        let this = &mut *self;
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        if written.is_ready() {
            return written;
        }
        // It runs from the first write that waits, whatever is taken in between.
        let deadline = this.deadline.get_or_insert_with(|| Box::pin(sleep(this.patience)));
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
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
            this.linger = this.ending.is_ours().then(|| Box::pin(sleep(LINGER)));
        }
        let Some(deadline) = &mut this.linger else {
            return Poll::Ready(Ok(()));
        };
        // The deadline first: the reads may use up what a task may do at a time.
        let mut is_over = deadline.as_mut().poll(context).is_ready();
        let mut unread = [0; 1024];
        while !is_over {
            let mut unread = ReadBuf::new(&mut unread);
            let read = ready!(Pin::new(&mut this.stream).poll_read(context, &mut unread));
            // The client has closed its side too, or is gone.
            is_over = read.is_err() || unread.filled().is_empty();
        }
        Poll::Ready(Ok(()))
    }
}
