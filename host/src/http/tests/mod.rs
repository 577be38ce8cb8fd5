//! Connections in memory, with paused time: every wait ends at once, and at its exact limit.

#![allow(clippy::unwrap_used, clippy::string_slice, reason = "a test fails by panicking")]

mod requests;

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::connection::{LINGERING_CLOSE_TIMEOUT, serve};
use super::handler::Handler;
use super::idle::IdleSince;
use super::request_record::RequestRecorder;
use crate::cli::LimitArgs;
use crate::health::{Health, Phase};
use crate::metrics::{self, Metrics};
use crate::sandbox::{GuestEnv, InvokeError, Limits, MAX_MEMORY, Sandbox, engine, load};
use requests::{INVALID_BODIES, INVALID_HEADS, VALID};

const LIMITS: LimitArgs = LimitArgs {
    request_timeout: Duration::from_mins(1),
    max_memory: MAX_MEMORY,
    max_concurrency: 1,
    client_timeout: Duration::from_secs(10),
    idle_timeout: Duration::from_secs(75),
    max_body: 100,
    max_connections: 1,
    drain_delay: Duration::ZERO,
    drain_timeout: Duration::from_secs(7),
};

/// Bytes that each side of a connection takes before the other reads.
const SOCKET_BUFFER: usize = 64 * 1024;

const GET: &str = "GET /status HTTP/1.1\r\nhost: a\r\n\r\n";

/// A request that gets a response if the server reads it.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nhost: smuggled\r\n\r\n";

/// The server, with the embedded component.
struct Server {
    handler: Arc<Handler>,
    health: Health,
    registry: Registry,
    shutdown: watch::Sender<bool>,
}

/// A connection to it.
struct Client {
    stream: DuplexStream,
    served: JoinHandle<()>,
}

struct Response {
    status: u16,
    head: String,
    body: String,
}

impl Server {
    fn start() -> Self {
        let limits = Limits {
            timeout: LIMITS.request_timeout,
            memory: LIMITS.max_memory,
            running: 1,
            waiting: LIMITS.max_concurrency,
        };
        let engine = engine(limits.running).unwrap();
        let component = load(&engine, None).unwrap();
        let sandbox = Sandbox::new(&component, GuestEnv::new("1".to_owned(), "c".to_owned()), limits).unwrap();
        let mut registry = Registry::default();
        let metrics = Arc::new(Metrics::register(&mut registry, &InvokeError::KINDS));
        let (recorder, health) = (RequestRecorder::new(metrics, 0), Health::starting());
        Self {
            handler: Arc::new(Handler::new(sandbox, recorder, LIMITS, health.clone())),
            health,
            registry,
            shutdown: watch::Sender::new(false),
        }
    }

    fn connect(&self) -> Client {
        let (client, server) = duplex(SOCKET_BUFFER);
        self.serve(client, server)
    }

    fn serve(&self, client: DuplexStream, server: DuplexStream) -> Client {
        let (handler, shutdown) = (Arc::clone(&self.handler), self.shutdown.subscribe());
        let task = async move { serve(server, &handler, LIMITS, &IdleSince::now(), shutdown).await };
        Client {
            stream: client,
            served: tokio::spawn(task),
        }
    }

    /// Sends `bytes`, and returns everything that arrives until the server closes the connection.
    async fn exchange(&self, bytes: &str) -> String {
        let mut client = self.connect();
        client.send(bytes).await;
        client.read_to_close().await
    }

    fn metrics(&self) -> String {
        metrics::encode(&self.registry)
    }
}

impl Client {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    async fn read_to_close(&mut self) -> String {
        let mut received = Vec::new();
        self.stream.read_to_end(&mut received).await.unwrap();
        String::from_utf8(received).unwrap()
    }

    /// Reads one response with a `content-length`.
    async fn response(&mut self) -> Response {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.unwrap());
        }
        let mut response = Response::parse(&String::from_utf8(head).unwrap());
        let length = response.header("content-length").unwrap().parse().unwrap();
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.unwrap();
        response.body = String::from_utf8(body).unwrap();
        response
    }
}

impl Response {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Self {
            status: head[9..12].parse().unwrap(),
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.find_map(|(other, value)| (other == name).then_some(value))
    }
}

/// Whether this is one error response that closes the connection: hyper's without a body, or a problem.
fn is_rejection(received: &str, status: u16) -> bool {
    if received.is_empty() {
        return false;
    }
    let response = Response::parse(received);
    received.matches("HTTP/1.").count() == 1
        && response.status == status
        && response.header("connection") == Some("close")
        && (response.body.is_empty() || response.header("content-type") == Some("application/problem+json"))
}

#[tokio::test(start_paused = true)]
async fn invalid_head_is_rejected_and_nothing_after_it_is_read() {
    let server = Server::start();
    let mut unexpected = Vec::new();
    for (clause, head, status) in INVALID_HEADS {
        let received = server.exchange(&format!("{head}{SMUGGLED}")).await;
        if !is_rejection(&received, *status) {
            unexpected.push((clause, received));
        }
    }
    assert!(unexpected.is_empty(), "{unexpected:#?}");
}

#[tokio::test(start_paused = true)]
async fn invalid_chunked_body_is_rejected_and_nothing_after_it_is_read() {
    let server = Server::start();
    let mut unexpected = Vec::new();
    for (clause, body) in INVALID_BODIES {
        let head = "POST /status HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
        let received = server.exchange(&format!("{head}{body}{SMUGGLED}")).await;
        if !is_rejection(&received, 400) {
            unexpected.push((clause, received));
        }
    }
    assert!(unexpected.is_empty(), "{unexpected:#?}");
}

#[tokio::test(start_paused = true)]
async fn unusual_but_valid_request_is_answered() {
    let server = Server::start();
    let mut unexpected = Vec::new();
    for request in VALID {
        let received = server.exchange(request).await;
        if !(received.starts_with("HTTP/1.1 200 ") || received.starts_with("HTTP/1.0 200 ")) {
            unexpected.push((request, received));
        }
    }
    assert!(unexpected.is_empty(), "{unexpected:#?}");
}

#[tokio::test(start_paused = true)]
async fn head_over_a_limit_is_rejected() {
    let server = Server::start();
    let long = "a".repeat(16 * 1024);
    let many = "x: a\r\n".repeat(100);
    for head in [
        format!("GET /{long} HTTP/1.1\r\nhost: a\r\n\r\n"),
        format!("GET /status HTTP/1.1\r\nhost: a\r\nx: {long}\r\n\r\n"),
        format!("GET /status HTTP/1.1\r\nhost: a\r\n{many}\r\n"),
    ] {
        let received = server.exchange(&head).await;
        assert!(is_rejection(&received, 431), "{received}");
    }
}

#[tokio::test(start_paused = true)]
async fn http_2_preface_closes_the_connection() {
    let received = Server::start().exchange("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert_eq!(received, "");
}

#[tokio::test(start_paused = true)]
async fn malformed_request_is_counted() {
    let server = Server::start();
    server.exchange("GET\r\n\r\n").await;
    let series = r#"http_requests_total{method="other",route="other",status="400"} 1"#;
    assert!(server.metrics().contains(series), "{}", server.metrics());
}

#[tokio::test(start_paused = true)]
async fn pipelined_requests_are_answered_in_order() {
    let server = Server::start();
    let mut client = server.connect();
    client.send(format!("{GET}{SMUGGLED}{GET}")).await;
    for status in [200, 404, 200] {
        let response = client.response().await;
        assert_eq!((response.status, response.header("connection")), (status, None));
    }
}

#[tokio::test(start_paused = true)]
async fn idle_connection_is_closed_after_the_idle_timeout() {
    let server = Server::start();
    for sent in ["", GET] {
        let mut client = server.connect();
        client.send(sent).await;
        if !sent.is_empty() {
            client.response().await;
        }
        let start = Instant::now();
        assert_eq!(client.read_to_close().await, "");
        assert_eq!(start.elapsed().as_secs(), LIMITS.idle_timeout.as_secs());
    }
}

#[tokio::test(start_paused = true)]
async fn slow_head_is_cut_off_after_the_idle_timeout() {
    let server = Server::start();
    let Client { mut stream, served } = server.connect();
    let start = Instant::now();
    tokio::spawn(async move {
        stream.write_all(b"GET /status HTTP/1.1\r\nx: ").await.unwrap();
        while stream.write_all(b"a").await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
    });
    served.await.unwrap();
    assert_eq!(start.elapsed().as_secs(), LIMITS.idle_timeout.as_secs());
}

#[tokio::test(start_paused = true)]
async fn late_body_is_rejected_after_the_client_timeout() {
    let server = Server::start();
    let mut client = server.connect();
    let start = Instant::now();
    client
        .send("POST /status HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n1")
        .await;
    assert!(is_rejection(&client.read_to_close().await, 408));
    assert_eq!(start.elapsed().as_secs(), LIMITS.client_timeout.as_secs());
}

#[tokio::test(start_paused = true)]
async fn body_of_the_maximum_size_is_accepted_and_closes_the_connection() {
    let server = Server::start();
    let length = format!(
        "content-length: {}\r\n\r\n{}",
        LIMITS.max_body,
        "a".repeat(LIMITS.max_body)
    );
    let chunks = format!(
        "transfer-encoding: chunked\r\n\r\n{}0\r\n\r\n",
        "1\r\na\r\n".repeat(LIMITS.max_body)
    );
    for rest in [length, chunks] {
        let received = server
            .exchange(&format!("POST /status HTTP/1.1\r\nhost: a\r\n{rest}{SMUGGLED}"))
            .await;
        assert!(is_rejection(&received, 405), "{received}");
    }
}

#[tokio::test(start_paused = true)]
async fn larger_body_is_rejected() {
    let server = Server::start();
    let length = format!(
        "content-length: {}\r\nexpect: 100-continue\r\n\r\n",
        LIMITS.max_body + 1
    );
    let chunks = format!(
        "transfer-encoding: chunked\r\n\r\n{}",
        "1\r\na\r\n".repeat(LIMITS.max_body + 1)
    );
    for rest in [length, chunks] {
        let received = server
            .exchange(&format!("POST /status HTTP/1.1\r\nhost: a\r\n{rest}"))
            .await;
        assert!(is_rejection(&received, 413), "{received}");
    }
}

#[tokio::test(start_paused = true)]
async fn expected_continue_is_sent() {
    let server = Server::start();
    let mut client = server.connect();
    client
        .send("GET /status HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\nexpect: 100-continue\r\n\r\n")
        .await;
    let mut interim = [0; 25];
    client.stream.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    client.send("1").await;
    assert_eq!(client.response().await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn client_that_has_closed_its_writing_side_receives_the_response() {
    let server = Server::start();
    let mut client = server.connect();
    client.send(GET).await;
    client.stream.shutdown().await.unwrap();
    assert!(client.read_to_close().await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test(start_paused = true)]
async fn client_that_sends_on_receives_the_rejection() {
    let server = Server::start();
    let mut client = server.connect();
    client
        .send("POST /status HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n")
        .await;
    for _ in 0..30 {
        client.send(vec![0; 10_000]).await;
        sleep(Duration::from_millis(100)).await;
    }
    assert!(is_rejection(&client.read_to_close().await, 413));
}

#[tokio::test(start_paused = true)]
async fn client_that_sends_forever_after_a_rejection_is_cut_off() {
    let server = Server::start();
    let mut client = server.connect();
    client.send("GET\r\n\r\n").await;
    let start = Instant::now();
    while client.stream.write_all(b"a").await.is_ok() {
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(start.elapsed().as_secs(), LINGERING_CLOSE_TIMEOUT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn client_that_does_not_receive_a_response_in_time_is_cut_off() {
    let server = Server::start();
    for reads in [false, true] {
        let (client, stream) = duplex(GET.len());
        let Client { mut stream, served } = server.serve(client, stream);
        stream.write_all(GET.as_bytes()).await.unwrap();
        let start = Instant::now();
        let client = tokio::spawn(async move {
            while reads && stream.read_u8().await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
            stream
        });
        served.await.unwrap();
        assert_eq!(start.elapsed().as_secs(), LIMITS.client_timeout.as_secs());
        drop(client.await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn shutdown_closes_an_idle_connection_at_once() {
    let server = Server::start();
    let mut client = server.connect();
    client.send(GET).await;
    client.response().await;
    let start = Instant::now();
    server.shutdown.send_replace(true);
    assert_eq!(client.read_to_close().await, "");
    assert_eq!(start.elapsed().as_secs(), 0);
}

#[tokio::test(start_paused = true)]
async fn request_in_flight_is_answered_during_a_drain() {
    let server = Server::start();
    let mut client = server.connect();
    client
        .send("GET /status HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\n")
        .await;
    sleep(Duration::from_secs(1)).await;
    server.health.set(Phase::Draining);
    server.shutdown.send_replace(true);
    client.send("1").await;
    let received = client.read_to_close().await;
    assert!(received.starts_with("HTTP/1.1 200 "), "{received}");
}

#[tokio::test(start_paused = true)]
async fn response_during_a_drain_closes_the_connection() {
    let server = Server::start();
    let mut client = server.connect();
    server.health.set(Phase::Draining);
    client.send(GET).await;
    let received = client.read_to_close().await;
    assert_eq!(
        Response::parse(&received).header("connection"),
        Some("close"),
        "{received}"
    );
}
