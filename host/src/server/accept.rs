//! Connections: accepted until a signal comes, then drained.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tracing::{info, warn};

use super::answer::answer;
use super::stop::Signals;
use crate::sandbox::Sandbox;

/// How long a client may take for the head of a request, and how long a connection may be idle before it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of a connection's read buffer, and so the longest head of a request.
const HEAD_LIMIT: usize = 16 * 1024;

/// The pause after a failed accept. What makes it fail, such as a lack of file descriptors, takes a while to pass.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long answers in flight may take once a signal has come.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(25);

/// Serves connections until the first signal; then closes the socket and the idle connections, and lets answers in
/// flight go out. A second signal ends that at once.
pub(super) async fn serve(listener: TcpListener, local: SocketAddr, sandbox: Arc<Sandbox>, mut signals: Signals) {
    let graceful = GracefulShutdown::new();
    let signal = tokio::select! {
        signal = signals.next() => signal,
        never = accept(&listener, local, &sandbox, &graceful) => never,
    };
    drop(listener);
    info!(signal, connections = graceful.count(), "draining");
    tokio::select! {
        () = graceful.shutdown() => info!("drained"),
        () = sleep(DRAIN_TIMEOUT) => warn!(seconds = DRAIN_TIMEOUT.as_secs(), "the drain timed out; closing what is left"),
        signal = signals.next() => warn!(signal, "a second signal; closing what is left"),
    }
}

async fn accept(listener: &TcpListener, local: SocketAddr, sandbox: &Arc<Sandbox>, graceful: &GracefulShutdown) -> ! {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, local, Arc::clone(sandbox), graceful.watcher()));
            }
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, local: SocketAddr, sandbox: Arc<Sandbox>, watcher: Watcher) {
    // Fails on a connection that is gone already, which serving it will find out.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| answer(&sandbox, local, request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Who has said all there is to say may still listen.
        .half_close(true)
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_LIMIT)
        .serve_connection(TokioIo::new(stream), service);
    // Ends with an error where a client goes away or does not speak HTTP, which it knows itself.
    let _ = watcher.watch(connection).await;
}
