//! The bytes that hyper receives, and the timeouts of a head.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::Instant;

use crate::http::io::close::{Admission, CloseState};
use crate::http::io::reader::{
    PLACEHOLDER_HEAD_REQUEST, PLACEHOLDER_REQUEST, ReadLimits, SHUTDOWN_READ_GRACE, ValidatingReader,
};

pub(super) const HEADER: Duration = Duration::from_secs(10);
const KEEP_ALIVE: Duration = Duration::from_secs(75);
const MAX_BODY: usize = 8;
const HEAD: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";

pub(super) struct Connection {
    pub(super) client: DuplexStream,
    pub(super) reader: ValidatingReader<DuplexStream>,
    pub(super) close: Arc<CloseState>,
}

impl Connection {
    pub(super) fn new() -> Self {
        let (client, server) = duplex(64 * 1024);
        let close = Arc::new(CloseState::new(Arc::default()));
        let limits = ReadLimits {
            client: HEADER,
            keep_alive: KEEP_ALIVE,
            max_body: MAX_BODY,
            admission: Admission::Admitted,
        };
        Self {
            client,
            reader: ValidatingReader::new(server, Arc::clone(&close), limits),
            close,
        }
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.client.write_all(bytes).await.unwrap();
    }

    /// What hyper receives from one read.
    pub(super) async fn read(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 32 * 1024];
        let length = self.reader.read(&mut bytes).await.unwrap();
        bytes.truncate(length);
        bytes
    }

    pub(super) fn rejected_with(&self) -> Option<StatusCode> {
        self.close.rejection().map(|(_, rejection)| rejection.status)
    }
}

#[tokio::test(start_paused = true)]
async fn complete_head_is_released_unchanged() {
    let mut connection = Connection::new();
    connection.send(HEAD).await;
    assert_eq!(connection.read().await, HEAD);
    assert_eq!(connection.rejected_with(), None);
}

#[tokio::test(start_paused = true)]
async fn pipelined_heads_are_released_one_at_a_time() {
    let mut connection = Connection::new();
    let second = b"HEAD /b HTTP/1.1\r\nhost: a\r\n\r\n";
    connection.send(&[b"\r\n\r\n", HEAD, b"\r\n", second].concat()).await;
    assert_eq!(connection.read().await, HEAD);
    assert_eq!(connection.read().await, second);
}

#[tokio::test(start_paused = true)]
async fn head_in_pieces_is_released_once_complete() {
    let mut connection = Connection::new();
    let (mut client, mut hyper) = (connection.client, connection.reader);
    let send = async {
        for byte in HEAD {
            tokio::time::sleep(HEADER / 60).await;
            client.write_all(&[*byte]).await.unwrap();
        }
        client
    };
    let mut bytes = [0; 1024];
    let (client, length) = tokio::join!(send, hyper.read(&mut bytes));
    assert_eq!(bytes.get(..length.unwrap()), Some(HEAD));
    (connection.client, connection.reader) = (client, hyper);
    assert_eq!(connection.rejected_with(), None);
}

#[tokio::test(start_paused = true)]
async fn released_head_is_copied_in_parts_into_a_small_buffer() {
    let mut connection = Connection::new();
    connection.send(&[HEAD, HEAD].concat()).await;
    let mut bytes = [0; 10];
    let mut received = Vec::new();
    while received.len() < HEAD.len() {
        let length = connection.reader.read(&mut bytes).await.unwrap();
        received.extend_from_slice(bytes.get(..length).unwrap());
    }
    assert_eq!(received, HEAD);
}

#[tokio::test(start_paused = true)]
async fn other_protocol_is_rejected_at_its_first_byte() {
    for (start, is_rejected) in [
        (&b"\x16\x03\x01"[..], true),
        (b" ", true),
        (b"\0", true),
        (b"GE\x80", true),
        (b"\r", false),
        (b"G", false),
        (b"GET ", false),
    ] {
        let mut connection = Connection::new();
        connection.send(start).await;
        let begin = Instant::now();
        connection.read().await;
        assert_eq!(begin.elapsed().is_zero(), is_rejected, "{start:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn rejected_head_is_replaced_and_closes() {
    for (method, placeholder) in [("GET", PLACEHOLDER_REQUEST), ("HEAD", PLACEHOLDER_HEAD_REQUEST)] {
        let mut connection = Connection::new();
        connection.send(HEAD).await;
        connection.send(format!("{method} / HTTP/1.1\r\n\r\n").as_bytes()).await;
        connection.send(HEAD).await;
        assert_eq!(connection.read().await, HEAD);
        assert_eq!(connection.rejected_with(), None, "before its turn");
        assert_eq!(connection.read().await, placeholder);
        assert_eq!(connection.rejected_with(), Some(StatusCode::BAD_REQUEST));
        assert_eq!(connection.read().await, b"", "nothing after a rejection");
    }
}

#[tokio::test(start_paused = true)]
async fn oversized_head_is_rejected_before_its_end() {
    for (start, status) in [
        ("GET /", StatusCode::URI_TOO_LONG),
        ("GET / HTTP/1.1\r\nx: ", StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
    ] {
        let mut connection = Connection::new();
        connection
            .send(format!("{start}{}", "a".repeat(16 * 1024)).as_bytes())
            .await;
        assert_eq!(connection.read().await, PLACEHOLDER_REQUEST);
        assert_eq!(connection.rejected_with(), Some(status));
    }
}

#[tokio::test(start_paused = true)]
async fn first_head_is_late_after_the_header_timeout() {
    let (mut connection, start) = (Connection::new(), Instant::now());
    assert_eq!(connection.read().await, b"");
    assert_eq!((start.elapsed(), connection.rejected_with()), (HEADER, None));
}

#[tokio::test(start_paused = true)]
async fn empty_lines_do_not_extend_the_header_timeout() {
    let (mut connection, start) = (Connection::new(), Instant::now());
    connection.send(b"\r\n\r\n").await;
    assert_eq!(connection.read().await, b"");
    assert_eq!((start.elapsed(), connection.rejected_with()), (HEADER, None));
}

#[tokio::test(start_paused = true)]
async fn incomplete_head_is_rejected_after_the_header_timeout() {
    let (mut connection, start) = (Connection::new(), Instant::now());
    connection.send(b"GET /").await;
    assert_eq!(connection.read().await, PLACEHOLDER_REQUEST);
    assert_eq!(
        (start.elapsed(), connection.rejected_with()),
        (HEADER, Some(StatusCode::REQUEST_TIMEOUT))
    );
    assert_eq!(connection.read().await, b"");
}

#[tokio::test(start_paused = true)]
async fn idle_connection_closes_after_the_keep_alive_timeout() {
    let mut connection = Connection::new();
    connection.send(HEAD).await;
    connection.read().await;
    let start = Instant::now();
    assert_eq!(connection.read().await, b"");
    assert_eq!((start.elapsed(), connection.rejected_with()), (KEEP_ALIVE, None));
}

#[tokio::test(start_paused = true)]
async fn header_timeout_starts_with_the_first_byte_of_a_later_head() {
    let mut connection = Connection::new();
    connection.send(HEAD).await;
    connection.read().await;
    let (mut client, mut hyper) = (connection.client, connection.reader);
    let start = Instant::now();
    let send = async {
        tokio::time::sleep(KEEP_ALIVE / 2).await;
        client.write_all(b"G").await.unwrap();
    };
    let mut bytes = [0; 1024];
    let ((), length) = tokio::join!(send, hyper.read(&mut bytes));
    assert_eq!(bytes.get(..length.unwrap()), Some(PLACEHOLDER_REQUEST));
    assert_eq!(start.elapsed(), KEEP_ALIVE / 2 + HEADER);
}

#[tokio::test(start_paused = true)]
async fn shutdown_leaves_idle_connection_a_grace_period() {
    let mut connection = Connection::new();
    connection.close.begin_shutdown();
    let start = Instant::now();
    assert_eq!(connection.read().await, b"");
    assert_eq!(start.elapsed(), SHUTDOWN_READ_GRACE);
}

#[tokio::test(start_paused = true)]
async fn shutdown_leaves_incomplete_head_the_header_timeout() {
    let mut connection = Connection::new();
    connection.close.begin_shutdown();
    connection.send(b"GET /").await;
    let start = Instant::now();
    assert_eq!(connection.read().await, PLACEHOLDER_REQUEST);
    assert_eq!(start.elapsed(), HEADER);
}

#[tokio::test(start_paused = true)]
async fn client_that_closes_ends_the_input() {
    let mut connection = Connection::new();
    connection.send(b"GET /").await;
    connection.client.shutdown().await.unwrap();
    assert_eq!(connection.read().await, b"");
    assert_eq!(connection.rejected_with(), None);
}

#[tokio::test(start_paused = true)]
async fn request_on_a_connection_that_was_closed_for_another_is_not_read() {
    let mut connection = Connection::new();
    let idle = connection.close.idle(std::time::Instant::now());
    assert!(connection.close.close_idle(idle.unwrap().1));
    connection.send(HEAD).await;
    assert_eq!(connection.read().await, b"");
}
