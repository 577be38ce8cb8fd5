//! A minimal client for what load generators do not measure: the first response and idle connections.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

const REQUEST: &[u8] = b"GET /status HTTP/1.1\r\nhost: bench\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\n";

/// The end of every response.
const END: &[u8] = b"}]}";

/// Sends one request and returns the open connection.
pub(crate) fn request(address: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(REQUEST)?;
    let mut response = Vec::new();
    while !response.windows(END.len()).any(|window| window == END) {
        let mut bytes = [0; 1024];
        let length = stream.read(&mut bytes)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        response.extend_from_slice(bytes.get(..length).unwrap_or_default());
    }
    if response.starts_with(OK) {
        return Ok(stream);
    }
    let text = response.escape_ascii();
    Err(io::Error::other(format!("unexpected response: {text}")))
}

/// Opens `count` idle connections that have received one response each.
pub(crate) fn idle_connections(address: SocketAddr, count: u32) -> io::Result<Vec<TcpStream>> {
    (0..count).map(|_| request(address)).collect()
}
