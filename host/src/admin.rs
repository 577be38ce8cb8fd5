//! The admin server: metrics and health on a dedicated port and thread. Clients of the service cannot reach it, and
//! load on the service does not delay it.
//!
//! | path | response |
//! |---|---|
//! | `/metrics` | all metrics, in `OpenMetrics` text |
//! | `/livez` | 200 while the service runtime is not stuck |
//! | `/readyz` | 200 while the service accepts requests: from the first instance until the drain begins |
//! | `/buildinfo` | versions and the component, as JSON |

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::ready;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::registry::Registry;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Builder;
use tokio::task::yield_now;
use tokio::time::timeout;
use tracing::warn;

use crate::health::{Health, Phase};
use crate::metrics;
use crate::process::accept_backoff;

/// The maximum number of open connections. Scrapes and probes are few and short. For a further one the oldest
/// connection is closed, so that a client that holds connections cannot lock others out.
pub(crate) const MAX_CONNECTIONS: usize = 32;

/// The time limit for a connection, which carries one request.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);

const TEXT: &str = "text/plain; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

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
    pub(crate) registry: Registry,
    pub(crate) health: Health,
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
        let mut open = VecDeque::new();
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let server = Arc::clone(&self);
                    let connection = tokio::spawn(async move { server.serve_connection(stream).await });
                    open.push_back(connection);
                    open.retain(|connection| !connection.is_finished());
                    if open.len() > MAX_CONNECTIONS
                        && let Some(oldest) = open.pop_front()
                    {
                        oldest.abort();
                    }
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

    async fn serve_connection(&self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let service = service_fn(|request| ready(Ok::<_, Infallible>(self.respond(&request))));
        let connection = http1::Builder::new()
            .keep_alive(false)
            // A client that shuts down its writing side may still wait for the response.
            .half_close(true)
            .timer(TokioTimer::new())
            // The lockdown does not allow it.
            .writev(false)
            .serve_connection(TokioIo::new(stream), service);
        // Disconnects and timeouts concern only the client.
        let _ = timeout(CONNECTION_TIMEOUT, connection).await;
    }

    fn respond(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let (status, content_type, body) = self.route(request);
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        response
    }

    fn route(&self, request: &Request<Incoming>) -> (StatusCode, &'static str, Bytes) {
        let text = |status, text: &'static str| (status, TEXT, text.into());
        let is_allowed = matches!(*request.method(), Method::GET | Method::HEAD);
        match request.uri().path() {
            "/livez" | "/readyz" | "/metrics" | "/buildinfo" if !is_allowed => {
                text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed; use GET or HEAD\n")
            }
            "/livez" if self.health.is_alive() => text(StatusCode::OK, "ok\n"),
            "/livez" => text(StatusCode::SERVICE_UNAVAILABLE, "stuck\n"),
            "/readyz" => match self.health.phase() {
                Phase::Starting => text(StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
                Phase::Ready => text(StatusCode::OK, "ok\n"),
                Phase::Draining => text(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
            },
            "/metrics" => (StatusCode::OK, OPEN_METRICS, metrics::encode(&self.registry).into()),
            "/buildinfo" => {
                // Only map keys and custom `Serialize` implementations can fail, and there are none.
                let json = serde_json::to_vec(&self.build_info).unwrap_or_default();
                (StatusCode::OK, "application/json", json.into())
            }
            _ => text(
                StatusCode::NOT_FOUND,
                "not found; available paths: /metrics, /livez, /readyz, /buildinfo\n",
            ),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::io::Write;
    use std::net::{Ipv4Addr, SocketAddr, TcpStream};

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::process::bind;

    fn server() -> AdminServer {
        AdminServer {
            registry: Registry::default(),
            health: Health::starting(),
            build_info: BuildInfo {
                app_version: "1.2.3".to_owned(),
                commit_sha: "abc".to_owned(),
                host_version: "0.0.1",
                wasmtime_version: "48.0.0",
                component: "embedded".to_owned(),
                component_sha256: "def".to_owned(),
            },
        }
    }

    /// Sends a request; returns everything that arrives until the server closes the connection.
    async fn request(server: &AdminServer, method: &str, path: &str) -> String {
        let (mut client, stream) = duplex(64 * 1024);
        let head = format!("{method} {path} HTTP/1.1\r\nhost: a\r\n\r\n");
        client.write_all(head.as_bytes()).await.unwrap();
        server.serve_connection(stream).await;
        let mut received = String::new();
        client.read_to_string(&mut received).await.unwrap();
        received
    }

    #[track_caller]
    fn assert_is(received: &str, status: u16, body: &str) {
        assert!(received.starts_with(&format!("HTTP/1.1 {status} ")), "{received}");
        assert!(received.ends_with(&format!("\r\n\r\n{body}")), "{received}");
    }

    #[tokio::test]
    async fn each_path_has_its_media_type_and_is_not_stored() {
        let build_info = concat!(
            r#"{"app_version":"1.2.3","commit_sha":"abc","host_version":"0.0.1","wasmtime_version":"48.0.0","#,
            r#""component":"embedded","component_sha256":"def"}"#,
        );
        for (path, media_type, body) in [
            (
                "/metrics",
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
                "# EOF\n",
            ),
            ("/livez?verbose", "text/plain; charset=utf-8", "ok\n"),
            ("/buildinfo", "application/json", build_info),
        ] {
            let received = request(&server(), "GET", path).await;
            assert_is(&received, 200, body);
            for header in [
                &format!("content-type: {media_type}"),
                "cache-control: no-store",
                "x-content-type-options: nosniff",
                "connection: close",
            ] {
                assert!(
                    received.contains(&format!("\r\n{header}\r\n")),
                    "no `{header}` in {received}"
                );
            }
        }
    }

    #[tokio::test]
    async fn unknown_path_and_other_method_are_rejected() {
        for path in ["/", "/status", "/metrics/"] {
            assert!(
                request(&server(), "GET", path).await.starts_with("HTTP/1.1 404 "),
                "{path}"
            );
        }
        for method in ["POST", "OPTIONS", "BREW"] {
            let received = request(&server(), method, "/readyz").await;
            assert!(received.starts_with("HTTP/1.1 405 "), "{received}");
            assert!(received.contains("\r\nallow: GET, HEAD\r\n"), "{received}");
        }
    }

    #[tokio::test]
    async fn head_response_has_the_length_and_no_content() {
        let received = request(&server(), "HEAD", "/livez").await;
        assert_is(&received, 200, "");
        assert!(received.contains("\r\ncontent-length: 3\r\n"), "{received}");
    }

    #[tokio::test]
    async fn readiness_follows_the_phase() {
        let server = server();
        assert_is(&request(&server, "GET", "/readyz").await, 503, "starting\n");
        server.health.set(Phase::Ready);
        assert_is(&request(&server, "GET", "/readyz").await, 200, "ok\n");
        server.health.set(Phase::Draining);
        assert_is(&request(&server, "GET", "/readyz").await, 503, "draining\n");
    }

    #[tokio::test(start_paused = true)]
    async fn service_whose_runtime_does_not_run_the_heartbeat_is_stuck() {
        const LONG: Duration = Duration::from_mins(1);
        let server = server();
        let heartbeat = tokio::spawn(server.health.clone().beat());
        sleep(LONG).await;
        assert_is(&request(&server, "GET", "/livez").await, 200, "ok\n");
        heartbeat.abort();
        sleep(LONG).await;
        assert_is(&request(&server, "GET", "/livez").await, 503, "stuck\n");
    }

    #[tokio::test(start_paused = true)]
    async fn silent_connection_is_closed_after_the_timeout() {
        let (_client, stream) = duplex(1);
        let start = Instant::now();
        server().serve_connection(stream).await;
        assert_eq!(start.elapsed().as_secs(), CONNECTION_TIMEOUT.as_secs());
    }

    #[test]
    fn requests_beside_silent_connections_are_all_answered() {
        const SILENT: usize = 10 * MAX_CONNECTIONS;
        const REQUESTS: usize = 4 * MAX_CONNECTIONS;
        let (listener, address) = bind(
            "--admin",
            SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            CONNECTION_TIMEOUT,
        )
        .unwrap();
        server().start(listener).unwrap();
        let silent: Vec<_> = (0..SILENT).map(|_| TcpStream::connect(address).unwrap()).collect();
        let request = |_| {
            let mut client = TcpStream::connect(address).unwrap();
            client.write_all(b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
            client
        };
        let clients: Vec<_> = (0..REQUESTS).map(request).collect();
        let responses = clients
            .into_iter()
            .map(|client| std::io::read_to_string(client).unwrap_or_default());
        let answered = responses.filter(|response| response.starts_with("HTTP/1.1 200 "));
        assert_eq!(answered.count(), REQUESTS);
        drop(silent);
    }
}
