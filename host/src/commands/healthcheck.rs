//! `status-host healthcheck`: requests `/status` from this machine, for images without another HTTP client.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::time::timeout;

use crate::cli::ParseError;
use crate::error::Error;
use crate::metrics::STATUS_PATH;

/// From the connection attempt to the response.
const TIMEOUT: Duration = Duration::from_secs(3);

const REMEDY: &str = "raise the limit of file descriptors (ulimit -n)";

/// Requests the status of the service that listens on `listen`; an unspecified address stands for this machine.
pub(super) fn run(listen: SocketAddr) -> Result<(), Error> {
    if listen.port() == 0 {
        let message = "port 0 cannot be requested; set --listen or LISTEN to the port that the service listens on";
        return Err(ParseError::Invalid(message.to_owned()).into());
    }
    let address = local(listen);
    let unhealthy = |cause: String| Error::Unhealthy {
        url: format!("http://{address}{STATUS_PATH}"),
        cause,
    };
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Error::os("start the health check", REMEDY))?;
    let status = runtime
        .block_on(async { timeout(TIMEOUT, request(address)).await })
        .map_err(|_| unhealthy(format!("no response within {} s", TIMEOUT.as_secs())))?
        .map_err(|error| unhealthy(error.to_string()))?;
    match status {
        StatusCode::OK => Ok(()),
        status => Err(unhealthy(format!("the response is {status}"))),
    }
}

fn local(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        // `[::]` accepts IPv4 too, which every kernel has.
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

async fn request(address: SocketAddr) -> Result<StatusCode, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(STATUS_PATH)
        .header(header::HOST, address.to_string())
        .body(Empty::<Bytes>::new())?;
    let connection = tokio::spawn(connection);
    let status = sender.send_request(request).await?.status();
    connection.abort();
    Ok(status)
}
