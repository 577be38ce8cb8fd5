//! A client of our own, for what no load generator measures: a first answer, and connections that idle.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

const REQUEST: &[u8] = b"GET /status HTTP/1.1\r\nhost: bench\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\n";

/// What every answer ends with.
const END: &[u8] = b"}]}";

/// Asks once, and leaves the connection open.
pub(crate) fn ask(address: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(REQUEST)?;
    let mut answer = Vec::new();
    while !answer.windows(END.len()).any(|window| window == END) {
        let mut bytes = [0; 1024];
        let length = stream.read(&mut bytes)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(bytes.get(..length).unwrap_or_default());
    }
    if answer.starts_with(OK) {
        return Ok(stream);
    }
    Err(io::Error::other(format!("answered {}", answer.escape_ascii())))
}

/// Connections that have had an answer each, and idle.
pub(crate) fn idle(address: SocketAddr, count: u32) -> io::Result<Vec<TcpStream>> {
    (0..count).map(|_| ask(address)).collect()
}
