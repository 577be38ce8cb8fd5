//! One connection, from accept to close.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Request, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::timeout;

use super::handler::Handler;
use super::idle::IdleSince;
use super::write_timeout::WriteTimeout;
use crate::cli::LimitArgs;

/// Maximum size of a request head, in bytes, to which hyper's read buffer may grow.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// How long a connection that the server closes waits for the client to close its side. Closing a socket with unread
/// bytes resets it, and the response may be lost (RFC 9112 section 9.6).
pub(super) const LINGERING_CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves `stream` until either side closes it. Once `shutdown` is true, it closes as soon as no request is in flight.
pub(super) async fn serve<T>(
    stream: T,
    handler: &Handler,
    limits: LimitArgs,
    idle: &IdleSince,
    mut shutdown: watch::Receiver<bool>,
) where
    T: AsyncRead + AsyncWrite + Unpin,
{
    // Whether the server closes the connection after a response, so that the client may still be sending.
    let is_last = AtomicBool::default();
    let respond = |request: Request<Incoming>| {
        idle.set_busy();
        // Boxed, so that an idle connection does not hold the memory of a request.
        Box::pin(async {
            let response = handler.handle(request).await;
            is_last.store(response.headers().contains_key(header::CONNECTION), Ordering::Relaxed);
            idle.set_idle();
            Ok::<_, Infallible>(response)
        })
    };
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle_timeout)
        .max_buf_size(MAX_HEAD_BYTES)
        // A client that has shut down its writing side may still read.
        .half_close(true)
        .serve_connection(
            TokioIo::new(WriteTimeout::new(stream, limits.client_timeout, idle)),
            service_fn(respond),
        );
    let served = tokio::select! {
        // In this order a request that has arrived is read first.
        biased;
        served = poll_fn(|context| connection.poll_without_shutdown(context)) => Some(served),
        _ = shutdown.wait_for(|shutdown| *shutdown) => None,
    };
    let served = if let Some(served) = served {
        served
    } else {
        Pin::new(&mut connection).graceful_shutdown();
        poll_fn(|context| connection.poll_without_shutdown(context)).await
    };
    let is_malformed = served.as_ref().is_err_and(hyper::Error::is_parse);
    if let Err(error) = &served
        && is_malformed
    {
        handler.record_malformed(error);
    }
    // Any other error means that the client disconnected or was too slow.
    if is_malformed || served.is_ok() && is_last.load(Ordering::Relaxed) {
        let stream = connection.into_parts().io.into_inner().into_inner();
        let _ = timeout(LINGERING_CLOSE_TIMEOUT, close(stream)).await;
    }
}

/// Closes the writing side, then discards what arrives until the client closes its side.
async fn close(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    stream.shutdown().await?;
    // On the heap, so that an idle connection does not hold it.
    let mut discarded = vec![0; 1024];
    while stream.read(&mut discarded).await? > 0 {}
    Ok(())
}
