//! The listening sockets. That of the service is one of our own, or one that is handed over.

use std::io;
use std::net::{SocketAddr, TcpListener};

use listenfd::ListenFd;
use socket2::{Domain, SockRef, Socket, Type};

use crate::error::Error;

/// Connections that wait in the kernel to be accepted; the kernel may have a lower limit of its own.
const BACKLOG: i32 = 4096;

/// Takes the socket that the process was started with (`LISTEN_FDS`, as systemd and others pass it), which may have
/// connections waiting that a predecessor has left; else listens on `address`. Returns where it listens: port 0 asks
/// for any free one.
pub(super) fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let handed = ListenFd::from_env().take_tcp_listener(0);
    let handed = handed.map_err(|cause| Error::Handover { cause })?;
    if let Some(listener) = &handed
        && !SockRef::from(listener).is_listener().unwrap_or_default()
    {
        let cause = io::Error::other("the socket does not listen");
        return Err(Error::Handover { cause });
    }
    let listener = match handed {
        Some(listener) => Ok(listener),
        None => socket(address),
    };
    established(listener, address, "--listen")
}

/// Listens on `address`, which `option` names. Returns where it listens.
pub(super) fn bind(address: SocketAddr, option: &'static str) -> Result<(TcpListener, SocketAddr), Error> {
    established(socket(address), address, option)
}

fn established(
    listener: io::Result<TcpListener>,
    address: SocketAddr,
    option: &'static str,
) -> Result<(TcpListener, SocketAddr), Error> {
    let established = listener.and_then(|listener| {
        listener.set_nonblocking(true)?;
        let local = listener.local_addr()?;
        Ok((listener, local))
    });
    established.map_err(|cause| Error::Listen { option, address, cause })
}

fn socket(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // The connections of a predecessor that has just ended do not hold the port.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
