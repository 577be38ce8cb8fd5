//! An HTTP client that sends exactly the bytes it is given.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use super::TEST_TIMEOUT;

/// A connection whose reads time out.
#[track_caller]
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    stream
}

/// Reads until the server closes the connection, with or without a reset.
#[track_caller]
pub fn read_to_close(stream: &mut TcpStream) -> Vec<u8> {
    let mut received = Vec::new();
    match stream.read_to_end(&mut received) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => {
            panic!("{error} after {:?}", String::from_utf8_lossy(&received))
        }
        _ => received,
    }
}

/// Sends `bytes` and reads one response, up to the end of the connection.
#[track_caller]
pub fn finish(mut stream: TcpStream, bytes: impl AsRef<[u8]>) -> Response {
    stream.write_all(bytes.as_ref()).unwrap();
    let received = read_to_close(&mut stream);
    Response::try_parse(&received).unwrap_or_else(|| panic!("no response: {:?}", String::from_utf8_lossy(&received)))
}

/// As [`finish`], on a new connection.
#[track_caller]
pub fn send(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Response {
    finish(connect(address), bytes)
}

/// As [`send`]; `None` if the server closes the connection without a response.
pub fn try_send(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Option<Response> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    stream.write_all(bytes.as_ref()).ok()?;
    Response::try_parse(&read_to_close(&mut stream))
}

/// Sends a GET request on a connection that stays open, and reads the response.
#[track_caller]
pub fn get_keep_alive(stream: &mut TcpStream, target: &str) -> Response {
    try_get_keep_alive(stream, target).unwrap()
}

/// As [`get_keep_alive`]; an error if the server closes the connection.
pub fn try_get_keep_alive(stream: &mut TcpStream, target: &str) -> io::Result<Response> {
    stream.write_all(format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes())?;
    let (mut received, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut chunk)?;
        received.extend_from_slice(&chunk[..read]);
        match Response::try_parse(&received) {
            Some(response) if response.body.len().to_string() == response.header("content-length") => {
                return Ok(response);
            }
            _ if read == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ => {}
        }
    }
}

/// A response as it was received.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// The response, once its head is complete. Everything after the head is its body.
    pub fn try_parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines.map(|line| line.split_once(": ").unwrap());
        let headers = headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let body = bytes[end + 4..].to_vec();
        Some(Self { status, headers, body })
    }

    /// The value of a header that must occur exactly once.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let values: Vec<_> = self.headers.iter().filter(|(key, _)| key == name).collect();
        assert_eq!(values.len(), 1, "{name} in {:?}", self.headers);
        &values[0].1
    }

    pub fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(key, _)| key == name)
    }

    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    #[track_caller]
    pub fn assert_is(&self, status: u16, text: &str) {
        assert_eq!((self.status, self.text()), (status, text));
    }

    /// Checks that this is a problem (RFC 9457) as `openapi.yaml` describes it.
    #[track_caller]
    pub fn assert_problem(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        self.assert_common_headers();
        let problem = self.json();
        assert_eq!(problem["status"], status);
        let is_text = |name| problem[name].as_str().is_some_and(|text| !text.is_empty());
        assert!(is_text("title") && is_text("detail"), "{problem}");
    }

    /// Checks the headers of every response.
    #[track_caller]
    pub fn assert_common_headers(&self) {
        assert_eq!(self.header("cache-control"), "no-store");
        assert_eq!(self.header("x-content-type-options"), "nosniff");
        self.header("content-length");
    }
}
