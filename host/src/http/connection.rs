//! One connection, from accept to close.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use super::handler::Handler;
use super::head::MAX_HEAD_BYTES;
use super::io::{Admission, CloseState, ReadTimeouts, TimeoutWriter, ValidatingReader};
use super::request_record::RequestRecorder;
use crate::metrics::Metrics;
use crate::sandbox::{InvokeError, Sandbox};

/// Memory of one connection in the worst known case, in bytes: long header names, a chunked body and trailers at once.
/// Measured, without a response that the client does not read. The memory limits of the manifests are checked against
/// it.
pub const MAX_CONNECTION_MEMORY: usize = 135 * 1024;

/// The HTTP server: the state that all connections share.
pub struct Http1Server {
    handler: Handler,
    limits: ConnectionLimits,
    shutdown: watch::Sender<bool>,
}

/// The limits of one connection.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// For the client to send headers, to send a body, and to receive a response.
    pub client_timeout: Duration,
    /// Between two requests.
    pub idle_timeout: Duration,
    /// Bytes of one request body.
    pub max_body: usize,
}

impl Http1Server {
    /// A server that listens on `local_addr`, the `Host` of HTTP/1.0 requests without one.
    #[must_use]
    pub fn new(sandbox: Sandbox, recorder: RequestRecorder, local_addr: SocketAddr, limits: ConnectionLimits) -> Self {
        Self {
            handler: Handler {
                sandbox,
                recorder,
                local_addr,
                body_timeout: limits.client_timeout,
                max_body: limits.max_body,
            },
            limits,
            shutdown: watch::Sender::new(false),
        }
    }

    /// Makes the first instance, before any connection needs one.
    pub(crate) async fn warm_up(&self) -> Result<(), InvokeError> {
        let instantiation = self.handler.sandbox.warm_up().await?;
        self.metrics().sandbox.record_instantiation(instantiation);
        Ok(())
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.handler.local_addr
    }

    pub(super) fn metrics(&self) -> &Metrics {
        self.handler.recorder.metrics()
    }

    /// From now on every connection closes after its current or next response, and idle ones close soon.
    pub(super) fn shut_down(&self) {
        self.shutdown.send_replace(true);
    }

    /// Serves `stream` until either side closes it.
    pub async fn serve<T>(&self, stream: T, admission: Admission)
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let close = Arc::new(CloseState::default());
        let timeouts = ReadTimeouts {
            header: self.limits.client_timeout,
            keep_alive: self.limits.idle_timeout,
        };
        let writer = TimeoutWriter::new(stream, Arc::clone(&close), self.limits.client_timeout);
        let reader = ValidatingReader::new(writer, Arc::clone(&close), timeouts);
        let mut connection = pin!(
            http1::Builder::new()
                // A client that has shut down its writing side may still read. It also keeps hyper from reading ahead
                // while a request is in flight.
                .half_close(true)
                // The reader has the timeout and the limit; the buffer fits what it releases.
                .header_read_timeout(None)
                .max_buf_size(2 * MAX_HEAD_BYTES)
                .serve_connection(
                    TokioIo::new(reader),
                    // Boxed, so that an idle connection does not hold the memory of a handler.
                    service_fn(|request| Box::pin(self.handler.handle(&close, admission, request))),
                )
        );
        let mut shutdown = self.shutdown.subscribe();
        // An error means that the client disconnected or was too slow.
        tokio::select! {
            biased;
            _ = shutdown.wait_for(|shutdown| *shutdown) => {}
            _ = &mut connection => return,
        }
        close.begin_shutdown();
        // Not `graceful_shutdown` of hyper, which drops a request that has arrived but has not been read.
        let _ = connection.await;
    }
}
