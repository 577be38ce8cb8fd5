//! Bodies, which hyper receives once they are complete.

use std::time::Duration;

use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::reader::{Connection, HEADER};

#[tokio::test(start_paused = true)]
async fn body_is_released_once_complete() {
    let mut connection = Connection::new();
    let head = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\n";
    connection.send(&[head, &b"ab"[..]].concat()).await;
    let (mut client, mut hyper) = (connection.client, connection.reader);
    let start = Instant::now();
    let send = async {
        tokio::time::sleep(HEADER / 2).await;
        client.write_all(b"c\nGET").await.unwrap();
    };
    let mut bytes = [0; 1024];
    let ((), length) = tokio::join!(send, hyper.read(&mut bytes));
    assert_eq!(bytes.get(..length.unwrap()), Some(&[head, &b"abc"[..]].concat()[..]));
    assert_eq!(start.elapsed(), HEADER / 2);
    assert_eq!(hyper.read(&mut bytes).await.unwrap(), 0, "nothing after a body");
}

#[tokio::test(start_paused = true)]
async fn chunked_body_is_released_as_a_single_chunk() {
    let head = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    for (sent, released) in [
        (
            &b"1;x\r\na\r\n02 \r\nbc\r\n0\r\nx: y\r\n\r\n"[..],
            "0000000000000003\r\nabc\r\n0\r\n\r\n",
        ),
        (b"0\r\n\r\n", "0000000000000000\r\n\r\n"),
    ] {
        for pieces in [sent.len(), 1] {
            let mut connection = Connection::new();
            connection.send(head).await;
            let (mut client, mut hyper) = (connection.client, connection.reader);
            let send = async {
                for piece in sent.chunks(pieces) {
                    client.write_all(piece).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            let mut bytes = [0; 1024];
            let ((), length) = tokio::join!(send, hyper.read(&mut bytes));
            assert_eq!(
                bytes.get(..length.unwrap()),
                Some(&[head, released.as_bytes()].concat()[..])
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn body_is_requested_once_and_its_expectation_removed() {
    let mut connection = Connection::new();
    let head = b"POST / HTTP/1.1\r\nhost: a\r\nEXPECT: 100-Continue \r\ncontent-length: 1\r\n\r\n";
    connection.send(head).await;
    let (mut client, mut hyper) = (connection.client, connection.reader);
    let send = async {
        let mut interim = [0; 25];
        client.read_exact(&mut interim).await.unwrap();
        assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
        client.write_all(b"a").await.unwrap();
    };
    let mut bytes = [0; 1024];
    let ((), length) = tokio::join!(send, hyper.read(&mut bytes));
    let released = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\na";
    assert_eq!(bytes.get(..length.unwrap()), Some(&released[..]));
}

#[tokio::test(start_paused = true)]
async fn rejected_body_leaves_the_head_to_hyper() {
    for (framing, body, status) in [
        ("content-length: 9", "", StatusCode::PAYLOAD_TOO_LARGE),
        ("transfer-encoding: chunked", "9\r\n", StatusCode::PAYLOAD_TOO_LARGE),
        (
            "transfer-encoding: chunked",
            "FFFFFFFFFFFFFFFF\r\n",
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
        (
            "transfer-encoding: chunked",
            "10000000000000000",
            StatusCode::BAD_REQUEST,
        ),
        ("content-length: 2", "a", StatusCode::REQUEST_TIMEOUT),
    ] {
        let mut connection = Connection::new();
        let head = format!("POST / HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n");
        connection.send(format!("{head}{body}").as_bytes()).await;
        let start = Instant::now();
        assert!(connection.read().await.starts_with(head.as_bytes()));
        assert_eq!(connection.rejected_with(), Some(status), "{framing} {body}");
        let is_late = status == StatusCode::REQUEST_TIMEOUT;
        assert_eq!(start.elapsed(), if is_late { HEADER } else { Duration::ZERO });
        assert_eq!(connection.read().await, b"", "nothing after a rejection");
    }
}

#[tokio::test(start_paused = true)]
async fn extensions_and_trailers_are_limited() {
    let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    for body in ["1;x=", "0\r\nx: "] {
        let mut connection = Connection::new();
        let long = "y".repeat(16 * 1024);
        connection.send(format!("{head}{body}{long}").as_bytes()).await;
        connection.read().await;
        assert_eq!(connection.rejected_with(), Some(StatusCode::BAD_REQUEST), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn expectation_of_http_1_0_is_ignored() {
    let mut connection = Connection::new();
    let request = b"POST / HTTP/1.0\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\na";
    connection.send(request).await;
    assert_eq!(connection.read().await, request);
}
