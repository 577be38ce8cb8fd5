//! Reader, writer and close state over an in-memory stream, with paused time: a sleeping test advances the clock at
//! once.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::Instant;

use super::close::{Admission, CloseState};
use super::reader::{
    PLACEHOLDER_HEAD_REQUEST, PLACEHOLDER_REQUEST, ReadTimeouts, SHUTDOWN_READ_GRACE, ValidatingReader,
};
use super::writer::{LINGERING_CLOSE_TIMEOUT, TimeoutWriter};

const HEADER: Duration = Duration::from_secs(10);
const KEEP_ALIVE: Duration = Duration::from_secs(75);
const HEAD: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";

struct Connection {
    client: DuplexStream,
    reader: ValidatingReader<DuplexStream>,
    close: Arc<CloseState>,
}

impl Connection {
    fn new() -> Self {
        let (client, server) = duplex(64 * 1024);
        let close = Arc::new(CloseState::default());
        let timeouts = ReadTimeouts {
            header: HEADER,
            keep_alive: KEEP_ALIVE,
        };
        Self {
            client,
            reader: ValidatingReader::new(server, Arc::clone(&close), timeouts),
            close,
        }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.client.write_all(bytes).await.unwrap();
    }

    /// What hyper receives from one read.
    async fn read(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 32 * 1024];
        let length = self.reader.read(&mut bytes).await.unwrap();
        bytes.truncate(length);
        bytes
    }

    fn rejected_with(&self) -> Option<StatusCode> {
        self.close.rejection().map(|rejection| rejection.status)
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
async fn body_passes_with_everything_behind_it() {
    let mut connection = Connection::new();
    let head = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\n";
    connection.send(&[head, &b"ab"[..]].concat()).await;
    assert_eq!(connection.read().await, [head, &b"ab"[..]].concat());
    connection.send(b"c\n").await;
    assert_eq!(connection.read().await, b"c\n");
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

fn writer(capacity: usize) -> (DuplexStream, TimeoutWriter<DuplexStream>, Arc<CloseState>) {
    let (client, server) = duplex(capacity);
    let close = Arc::new(CloseState::default());
    let writer = TimeoutWriter::new(server, Arc::clone(&close), HEADER);
    (client, writer, close)
}

#[tokio::test(start_paused = true)]
async fn response_that_is_not_received_times_out() {
    let (_client, mut writer, _) = writer(10);
    let start = Instant::now();
    let error = writer.write_all(&[0; 11]).await.unwrap_err();
    assert_eq!((error.kind(), start.elapsed()), (ErrorKind::TimedOut, HEADER));
}

#[tokio::test(start_paused = true)]
async fn response_that_is_received_byte_by_byte_times_out() {
    let (mut client, mut writer, _) = writer(1);
    let start = Instant::now();
    let receive = async {
        for _ in 0..1000 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let _ = client.read(&mut [0]).await;
        }
    };
    tokio::select! {
        written = writer.write_all(&[0; 1000]) => assert_eq!(written.unwrap_err().kind(), ErrorKind::TimedOut),
        () = receive => {}
    }
    assert_eq!(start.elapsed(), HEADER);
}

#[tokio::test(start_paused = true)]
async fn flush_ends_the_write_timeout() {
    let (mut client, mut writer, _) = writer(10);
    for _ in 0..3 {
        let receive = async {
            tokio::time::sleep(HEADER * 2 / 3).await;
            client.read_exact(&mut [0; 15]).await.unwrap();
        };
        let ((), written) = tokio::join!(receive, writer.write_all(&[0; 15]));
        written.unwrap();
        writer.flush().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn close_by_the_client_does_not_linger() {
    let (_client, mut writer, _) = writer(10);
    let start = Instant::now();
    writer.shutdown().await.unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn close_by_the_server_lingers_until_the_timeout() {
    let (mut client, mut writer, close) = writer(10);
    assert!(close.close_after_response(Admission::Admitted, true));
    client.write_all(b"unread").await.unwrap();
    let start = Instant::now();
    writer.shutdown().await.unwrap();
    assert_eq!(start.elapsed(), LINGERING_CLOSE_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn close_by_the_server_lingers_until_the_client_closes() {
    let (mut client, mut writer, close) = writer(10);
    assert!(close.close_after_response(Admission::Overloaded, false));
    let close_client = async {
        client.write_all(b"unread").await.unwrap();
        client.shutdown().await.unwrap();
    };
    let start = Instant::now();
    let (shut_down, ()) = tokio::join!(writer.shutdown(), close_client);
    shut_down.unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[test]
fn connection_closes_after_overload_body_rejection_or_shutdown() {
    let close = CloseState::default();
    assert!(!close.close_after_response(Admission::Admitted, false));
    assert!(!close.closed_by_server());
    assert!(close.close_after_response(Admission::Admitted, true));
    assert!(close.closed_by_server());
    let close = CloseState::default();
    close.begin_shutdown();
    assert!(close.close_after_response(Admission::Admitted, false));
    assert!(CloseState::default().close_after_response(Admission::Overloaded, false));
}
