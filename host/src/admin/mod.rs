//! The admin server: metrics and health on a dedicated port and thread. Clients of the service cannot reach it, and
//! load on the service does not delay it.
//!
//! | path | response |
//! |---|---|
//! | `/metrics` | all metrics, in the Prometheus text format or in OpenMetrics |
//! | `/livez` | 200 while the service runtime is not stuck |
//! | `/readyz` | 200 while the service accepts requests: from the first instance until the drain begins |
//! | `/buildinfo` | versions and the component, as JSON |

mod negotiation;
mod routes;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::ready;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::warn;

use crate::metrics::MetricsRegistry;
use crate::process::{Heartbeat, Readiness, accept_backoff};

/// The maximum number of open connections. Scrapes and probes are few and short. For a further one the oldest
/// connection is closed, so that a client that holds connections cannot lock others out.
pub(crate) const MAX_CONNECTIONS: usize = 32;

/// The time that a connection has at least: enough for a request and its response. Further ones wait in the kernel.
const MIN_CONNECTION_TIME: Duration = Duration::from_millis(250);

/// The time limit for a connection, which carries one request.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);

const MAX_HEAD_BYTES: usize = 16 * 1024;

/// The versions of the host and of the component.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct BuildInfo {
    pub(crate) app_version: String,
    pub(crate) commit_sha: String,
    pub(crate) host_version: &'static str,
    pub(crate) wasmtime_version: &'static str,
    /// `embedded`, or the file name.
    pub(crate) component: String,
    pub(crate) component_sha256: String,
}

impl BuildInfo {
    /// The labels of the build metric. The file name is left out: it is not a property of the build.
    #[must_use]
    pub(crate) fn labels(&self) -> Vec<(&'static str, String)> {
        vec![
            ("app_version", self.app_version.clone()),
            ("commit_sha", self.commit_sha.clone()),
            ("host_version", self.host_version.to_owned()),
            ("wasmtime_version", self.wasmtime_version.to_owned()),
            ("component_sha256", self.component_sha256.clone()),
        ]
    }
}

/// Serves metrics, health and build information.
pub(crate) struct AdminServer {
    pub(crate) registry: MetricsRegistry,
    pub(crate) readiness: Readiness,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) build_info: BuildInfo,
}

impl AdminServer {
    /// Serves connections of `listener` on a dedicated thread until the process exits.
    ///
    /// # Errors
    ///
    /// If the socket cannot be registered with the event loop, or the thread cannot be started.
    pub(crate) fn start(self, listener: TcpListener) -> io::Result<()> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _context = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let serve = move || runtime.block_on(Arc::new(self).serve(&listener));
        thread::Builder::new().name("admin".to_owned()).spawn(serve)?;
        Ok(())
    }

    async fn serve(self: Arc<Self>, listener: &tokio::net::TcpListener) -> ! {
        let mut open = OpenConnections::default();
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    open.make_room().await;
                    let server = Arc::clone(&self);
                    open.spawn(async move { server.serve_connection(stream).await });
                    // Lets the connection read and respond before the next is accepted.
                    yield_now().await;
                }
                Err(error) => {
                    warn!(%error, "accept failed on the admin port");
                    accept_backoff(&error).await;
                }
            }
        }
    }

    async fn serve_connection(&self, stream: TcpStream) {
        let service = service_fn(|request| ready(Ok::<_, Infallible>(self.route(&request))));
        let connection = http1::Builder::new()
            .keep_alive(false)
            // A client that shuts down its sending side may still wait for the response.
            .half_close(true)
            .timer(TokioTimer::new())
            .max_buf_size(MAX_HEAD_BYTES)
            // Avoids `writev`, which the seccomp filter would have to allow for this alone.
            .writev(false)
            .serve_connection(TokioIo::new(stream), service);
        // Disconnects and timeouts concern only the client.
        let _ = timeout(CONNECTION_TIMEOUT, connection).await;
    }
}

/// The open connections, oldest first.
#[derive(Default)]
struct OpenConnections(VecDeque<(Instant, JoinHandle<()>)>);

impl OpenConnections {
    fn spawn(&mut self, connection: impl Future<Output = ()> + Send + 'static) {
        self.0.push_back((Instant::now(), tokio::spawn(connection)));
    }

    /// Waits until there is room for a connection. Closes the oldest one, unless it is too young.
    async fn make_room(&mut self) {
        self.0.retain(|(_, connection)| !connection.is_finished());
        if self.0.len() < MAX_CONNECTIONS {
            return;
        }
        if let Some((accepted, mut oldest)) = self.0.pop_front()
            && timeout_at(accepted + MIN_CONNECTION_TIME, &mut oldest).await.is_err()
        {
            oldest.abort();
        }
    }
}
