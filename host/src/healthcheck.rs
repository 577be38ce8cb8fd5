//! `status-host healthcheck`: requests `/status` from this machine, for images without another HTTP client.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::cli::ParseError;
use crate::error::Error;

/// For the connection attempt, and for the response.
const TIMEOUT: Duration = Duration::from_secs(2);

/// What a healthy response starts with.
const HEALTHY: &[u8; 13] = b"HTTP/1.1 200 ";

/// Requests the status of the service that listens on `listen`; an unspecified address stands for this machine.
pub(crate) fn run(listen: SocketAddr) -> Result<(), Error> {
    if listen.port() == 0 {
        let message = "port 0 cannot be requested; set --listen or LISTEN to the port that the service listens on";
        return Err(ParseError::Invalid(message.to_owned()).into());
    }
    let ip = match listen.ip() {
        // `[::]` accepts IPv4 too, which every kernel has.
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    let address = SocketAddr::new(ip, listen.port());
    let cause = match request(address) {
        Ok(start) if start == HEALTHY => return Ok(()),
        Ok(start) => format!("the response starts with `{}`", start.escape_ascii()),
        // What a read returns at the time limit (socket(7), SO_RCVTIMEO).
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
            format!("no response within {} s", TIMEOUT.as_secs())
        }
        Err(error) => error.to_string(),
    };
    let url = format!("http://{address}/status");
    Err(Error::Unhealthy { url, cause })
}

/// Returns the start of the response.
fn request(address: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    // In one write: a server that rejects the connection may close it in between.
    let request = format!("GET /status HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    // One read: a service on this machine sends the start of a response at once.
    let mut start = vec![0; HEALTHY.len()];
    let length = stream.read(&mut start)?;
    start.truncate(length);
    Ok(start)
}
