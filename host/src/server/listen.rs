//! The listening sockets. That of the service is one of our own, or one that is handed over.

use std::io;
use std::net::{SocketAddr, TcpListener};

use listenfd::ListenFd;
use socket2::{Domain, SockRef, Socket, Type};

use crate::error::Error;

/// Connections that wait in the kernel to be accepted; the kernel may have a lower limit of its own.
const BACKLOG: i32 = 4096;

/// Whose a port is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Port {
    /// That of this process.
    Own,
    /// That of a predecessor too, which may still be draining: the service's socket was handed over.
    Shared,
}

/// Takes the socket that the process was started with (`LISTEN_FDS`, as systemd and others pass it), which may have
/// connections waiting that a predecessor has left; else listens on `address`. Returns where it listens: port 0 asks
/// for any free one.
pub(super) fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr, Port), Error> {
    let handed = ListenFd::from_env().take_tcp_listener(0);
    let handed = handed.map_err(|cause| Error::Handover { cause })?;
    if let Some(listener) = &handed
        && !SockRef::from(listener).is_listener().unwrap_or_default()
    {
        let cause = io::Error::other("the socket does not listen");
        return Err(Error::Handover { cause });
    }
    let (listener, port) = match handed {
        Some(listener) => (Ok(listener), Port::Shared),
        None => (bind(address, Port::Own), Port::Own),
    };
    let (listener, local) = ready(listener).map_err(refused(address, "--listen"))?;
    Ok((listener, local, port))
}

/// Listens on `address` for the admin port.
pub(super) fn listen_for_admin(address: SocketAddr, port: Port) -> Result<(TcpListener, SocketAddr), Error> {
    ready(bind(address, port)).map_err(refused(address, "--admin"))
}

fn refused(address: SocketAddr, option: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |cause| Error::Listen { option, address, cause }
}

fn ready(listener: io::Result<TcpListener>) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = listener?;
    listener.set_nonblocking(true)?;
    let local = listener.local_addr()?;
    Ok((listener, local))
}

fn bind(address: SocketAddr, port: Port) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // The connections of a predecessor that has just ended do not hold the port.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(port == Port::Shared)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
