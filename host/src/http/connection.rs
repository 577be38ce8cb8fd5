//! One connection, from accept to close.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use super::handler::Handler;
use super::head::MAX_HEAD_BYTES;
use super::io::{Admission, CloseState, ReadLimits, TimeoutWriter, ValidatingReader};
use super::request_record::RequestRecorder;
use crate::metrics::Metrics;
use crate::process::SOCKET_MEMORY;
use crate::sandbox::{InvokeError, Sandbox};

/// Memory of the process for one connection without a body, in bytes: hyper's buffers, the task, and a head of 16 KiB.
const BASE_MEMORY: usize = 48 * 1024;

/// Memory of one connection in the worst case, in bytes, without a response of more than a few KiB that the client does
/// not read. The default of `--max-connections` and the manifests follow from it.
#[must_use]
pub const fn connection_memory(max_body: usize) -> usize {
    BASE_MEMORY + SOCKET_MEMORY + max_body
}

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
                draining: AtomicBool::default(),
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

    /// From now on every response closes its connection. Idle connections stay open.
    pub(super) fn begin_drain(&self) {
        self.handler.draining.store(true, Ordering::Relaxed);
    }

    /// From now on idle connections close soon. Call it after [`Http1Server::begin_drain`].
    pub(super) fn shut_down(&self) {
        self.shutdown.send_replace(true);
    }

    /// Serves `stream` until either side closes it.
    pub async fn serve<T>(&self, stream: T, admission: Admission)
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        self.serve_until(Arc::new(CloseState::new(Arc::default())), stream, admission)
            .await;
    }

    /// As [`Http1Server::serve`], with a close state that others share.
    pub(super) async fn serve_until<T>(&self, close: Arc<CloseState>, stream: T, admission: Admission)
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let limits = ReadLimits {
            client: self.limits.client_timeout,
            keep_alive: self.limits.idle_timeout,
            max_body: self.limits.max_body,
            admission,
        };
        let writer = TimeoutWriter::new(stream, Arc::clone(&close), self.limits.client_timeout);
        let reader = ValidatingReader::new(writer, Arc::clone(&close), limits);
        let mut connection = pin!(
            http1::Builder::new()
                // A client that has shut down its writing side may still read. It also keeps hyper from reading ahead
                // while a request is in flight.
                .half_close(true)
                // The reader has the timeout and the limit; the buffer fits one head.
                .header_read_timeout(None)
                .max_buf_size(MAX_HEAD_BYTES)
                .serve_connection(
                    TokioIo::new(reader),
                    // Boxed, so that an idle connection does not hold the memory of a handler.
                    service_fn(|request| Box::pin(self.handler.handle(&close, admission, request))),
                )
                // hyper would not shut down a connection whose client requests an upgrade.
                .without_shutdown()
        );
        let mut shutdown = self.shutdown.subscribe();
        let served = tokio::select! {
            biased;
            _ = shutdown.wait_for(|shutdown| *shutdown) => None,
            served = &mut connection => Some(served),
        };
        let served = if let Some(served) = served {
            served
        } else {
            close.begin_shutdown();
            // Not `graceful_shutdown` of hyper, which drops a request that has arrived but has not been read.
            connection.await
        };
        // An error means that the client disconnected or was too slow.
        if let Ok(parts) = served {
            let mut stream = parts.io.into_inner();
            let _ = poll_fn(|context| Pin::new(&mut stream).poll_shutdown(context)).await;
        }
    }
}
