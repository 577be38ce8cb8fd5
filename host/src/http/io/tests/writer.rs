//! Write timeouts and the close of a connection.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::Instant;

use crate::http::io::close::{Admission, CloseState};
use crate::http::io::writer::{LINGERING_CLOSE_TIMEOUT, TimeoutWriter};

const WRITE: Duration = Duration::from_secs(10);

fn writer(capacity: usize) -> (DuplexStream, TimeoutWriter<DuplexStream>, Arc<CloseState>) {
    let (client, server) = duplex(capacity);
    let close = Arc::new(CloseState::new(Arc::default()));
    let writer = TimeoutWriter::new(server, Arc::clone(&close), WRITE);
    (client, writer, close)
}

#[tokio::test(start_paused = true)]
async fn response_that_is_not_received_times_out() {
    let (_client, mut writer, _) = writer(10);
    let start = Instant::now();
    let error = writer.write_all(&[0; 11]).await.unwrap_err();
    assert_eq!((error.kind(), start.elapsed()), (ErrorKind::TimedOut, WRITE));
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
    assert_eq!(start.elapsed(), WRITE);
}

#[tokio::test(start_paused = true)]
async fn flush_ends_the_write_timeout() {
    let (mut client, mut writer, _) = writer(10);
    for _ in 0..3 {
        let receive = async {
            tokio::time::sleep(WRITE * 2 / 3).await;
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
    close.set_last_request();
    assert!(close.close_after_response(Admission::Admitted));
    client.write_all(b"unread").await.unwrap();
    let start = Instant::now();
    writer.shutdown().await.unwrap();
    assert_eq!(start.elapsed(), LINGERING_CLOSE_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn close_by_the_server_lingers_until_the_client_closes() {
    let (mut client, mut writer, close) = writer(10);
    assert!(close.close_after_response(Admission::Overloaded));
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
fn connection_closes_after_overload_or_last_request() {
    let close = CloseState::new(Arc::default());
    assert!(!close.close_after_response(Admission::Admitted));
    assert!(!close.closed_by_server());
    close.set_last_request();
    assert!(close.close_after_response(Admission::Admitted));
    assert!(close.closed_by_server());
    assert!(CloseState::new(Arc::default()).close_after_response(Admission::Overloaded));
}
