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
    let (mut received, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return received,
            Ok(read) => received.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return received,
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&received)),
        }
    }
}

/// Sends `bytes` on a new connection and reads one response, up to the end of the connection.
#[track_caller]
pub fn send(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Response {
    let mut stream = connect(address);
    stream.write_all(bytes.as_ref()).unwrap();
    Response::parse(&read_to_close(&mut stream))
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
        if read == 0 {
            let received = String::from_utf8_lossy(&received);
            return Err(io::Error::other(format!("closed after {received:?}")));
        }
        received.extend_from_slice(&chunk[..read]);
        if let Some(response) = Response::try_parse(&received)
            && response.body.len() >= response.header("content-length").parse().unwrap()
        {
            return Ok(response);
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
    #[track_caller]
    pub fn parse(bytes: &[u8]) -> Self {
        Self::try_parse(bytes).unwrap_or_else(|| panic!("no response: {:?}", String::from_utf8_lossy(bytes)))
    }

    /// The response, once its head is complete. Everything after the head is its body.
    pub fn try_parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let headers = lines.map(|line| line.split_once(": ").unwrap());
        Some(Self {
            status: status.parse().unwrap(),
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            body: bytes[end + 4..].to_vec(),
        })
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
        assert!(!problem["title"].as_str().unwrap().is_empty());
        assert!(!problem["detail"].as_str().unwrap().is_empty());
    }

    /// As [`Response::assert_problem`], and the server closes the connection.
    #[track_caller]
    pub fn assert_problem_and_close(&self, status: u16) {
        self.assert_problem(status);
        assert_eq!(self.header("connection"), "close");
    }

    /// Checks the headers of every response.
    #[track_caller]
    pub fn assert_common_headers(&self) {
        assert_eq!(self.header("cache-control"), "no-store");
        assert_eq!(self.header("x-content-type-options"), "nosniff");
        self.header("content-length");
    }
}
