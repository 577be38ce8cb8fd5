//! The admin port: what an operator and their tools ask of the process, apart from the service port, so that neither is
//! there for the clients of the service nor waits for them.
//!
//! | path | what it tells |
//! |---|---|
//! | `/metrics` | all metrics, in the text format of Prometheus or in OpenMetrics |
//! | `/livez` | that the process runs |
//! | `/readyz` | whether it takes requests: not before the first instance was made, and not from a drain on |
//! | `/buildinfo` | what it was built from, as JSON |
//!
//! | file | what it holds |
//! |---|---|
//! | `answer` | one request, one response |
//! | `negotiation` | which format of metrics a client wants |
//! | `readiness` | whether the service takes requests |

mod answer;
mod negotiation;
mod readiness;

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
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use tracing::warn;

use crate::telemetry::Exposition;

pub use answer::BuildInfo;
pub use readiness::{Phase, Readiness};

/// Connections at once. Scrapes and probes are few and short; above it the oldest is given up, so that who just holds
/// connections does not keep others out.
pub const CONNECTIONS: usize = 32;

/// How long a connection may take from its start to its end, one request and its answer.
const TIME: Duration = Duration::from_secs(10);

/// The longest head, in bytes.
const HEAD_LIMIT: usize = 16 * 1024;

/// The pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What it tells of.
pub struct Admin {
    /// The metrics.
    pub exposition: Exposition,
    /// Whether the service takes requests.
    pub readiness: Readiness,
    /// What it was built from.
    pub build: BuildInfo,
}

impl Admin {
    /// Serves on `listener` from now on, on a thread of its own: what the service is busy with does not hold it up. It ends
    /// with the process.
    ///
    /// # Errors
    ///
    /// Where the socket cannot be watched, or the thread not be started.
    pub fn start(self, listener: TcpListener) -> io::Result<()> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let serve = move || runtime.block_on(Arc::new(self).serve(&listener));
        thread::Builder::new().name("admin".to_owned()).spawn(serve)?;
        Ok(())
    }

    async fn serve(self: Arc<Self>, listener: &tokio::net::TcpListener) -> ! {
        let mut open = VecDeque::with_capacity(CONNECTIONS);
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    open.retain(|connection: &AbortHandle| !connection.is_finished());
                    if open.len() == CONNECTIONS {
                        let oldest = open.pop_front();
                        oldest.iter().for_each(AbortHandle::abort);
                    }
                    let admin = Arc::clone(&self);
                    let connection = tokio::spawn(async move { admin.converse(stream).await });
                    open.push_back(connection.abort_handle());
                }
                Err(error) => {
                    warn!(%error, "cannot accept a connection on the admin port");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn converse(&self, stream: TcpStream) {
        let service = service_fn(|request| ready(Ok::<_, Infallible>(self.answer(&request))));
        let connection = http1::Builder::new()
            .keep_alive(false)
            // Who has said all there is to say may still listen.
            .half_close(true)
            .timer(TokioTimer::new())
            .max_buf_size(HEAD_LIMIT)
            // Which takes a system call that serving needs for nothing else.
            .writev(false)
            .serve_connection(TokioIo::new(stream), service);
        // A client that goes away, or takes too long, knows so itself.
        let _ = timeout(TIME, connection).await;
    }
}
