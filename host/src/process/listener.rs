//! The listening sockets of the service and of the admin port.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::{env, io, process};

use listenfd::ListenFd;
use nix::errno::Errno;
use socket2::{Domain, SockRef, Socket, Type};

/// Connections that wait in the kernel to be accepted; `net.core.somaxconn` may lower it.
pub(crate) const BACKLOG: u16 = 4096;

/// Bytes that the kernel stores of what has not been read, and of what has not been sent. It counts its own structures
/// as well, and therefore doubles the values (socket(7)).
const RECEIVE_BUFFER: usize = 16 * 1024;
const SEND_BUFFER: usize = 8 * 1024;

/// While the send buffer has any space left, the kernel adds a whole packet, of up to 64 KiB whatever the network is.
const PACKET: usize = 64 * 1024;

/// The maximum segment size of TCP, in bytes. Without it, loopback has 64 KiB: one segment would fill the send buffer,
/// and its receiver waits 40 ms for a second one before it acknowledges. No network has segments as large.
const MAX_SEGMENT: u32 = 16 * 1024;

/// Memory of the kernel for one connection in the worst case, in bytes: a response that is not sent. While the server
/// cannot send it, it reads no further request, so that an unread one takes the place of one that it is reading.
pub const SOCKET_MEMORY: usize = 80 * 1024;
const _: () = assert!(SOCKET_MEMORY == 2 * SEND_BUFFER + PACKET);

/// Why a listening socket is unavailable.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address cannot be bound.
    #[error("cannot listen on `{address}`: {cause}; {}", remedy(.cause, .option))]
    Bind {
        /// The option that sets it.
        option: &'static str,
        /// The address.
        address: SocketAddr,
        /// The error of the operating system.
        cause: io::Error,
    },
    /// Not exactly one socket was passed.
    #[error(
        "LISTEN_FDS is `{0}`, but one socket can be inherited; pass one listening TCP socket with LISTEN_FDS=1, or unset \
         LISTEN_FDS"
    )]
    Count(String),
    /// The inherited socket cannot be used.
    #[error("cannot listen on the socket of LISTEN_FDS: {0}; pass a listening TCP socket, or unset LISTEN_FDS")]
    Inherited(io::Error),
}

/// Whether another process may listen on the same port.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PortSharing {
    Exclusive,
    /// The socket of the service was inherited: a predecessor may still be draining.
    Shared,
}

/// The inherited socket if there is one (`LISTEN_FDS`, systemd socket activation), with the connections that wait in
/// its backlog; else a new one on `address`. Returns the bound address, which differs from `address` if its port is 0.
pub(crate) fn bind_or_inherit(address: SocketAddr) -> Result<(TcpListener, SocketAddr, PortSharing), ListenError> {
    check_inherited_count()?;
    let inherited = ListenFd::from_env().take_tcp_listener(0);
    if let Some(listener) = inherited.map_err(ListenError::Inherited)? {
        if !SockRef::from(&listener).is_listener().unwrap_or_default() {
            return Err(ListenError::Inherited(io::Error::other("it is not a listening socket")));
        }
        let (listener, local_addr) = into_nonblocking(listener).map_err(ListenError::Inherited)?;
        return Ok((listener, local_addr, PortSharing::Shared));
    }
    let sharing = PortSharing::Exclusive;
    let (listener, local_addr) = bind(address, sharing).map_err(bind_error("--listen", address))?;
    Ok((listener, local_addr, sharing))
}

/// Of several sockets, all but one would accept connections in the kernel and answer none.
fn check_inherited_count() -> Result<(), ListenError> {
    let count = env::var_os("LISTEN_FDS").filter(|count| count != "1");
    let process = env::var("LISTEN_PID").unwrap_or_default();
    match count {
        Some(count) if process.is_empty() || process == process::id().to_string() => {
            Err(ListenError::Count(count.to_string_lossy().into_owned()))
        }
        _ => Ok(()),
    }
}

/// A new socket on `address` for the admin port.
pub(crate) fn bind_admin(address: SocketAddr, sharing: PortSharing) -> Result<(TcpListener, SocketAddr), ListenError> {
    bind(address, sharing).map_err(bind_error("--admin", address))
}

/// `[::]` accepts IPv4 too, and only IPv4 if the kernel has no IPv6.
fn bind(address: SocketAddr, sharing: PortSharing) -> io::Result<(TcpListener, SocketAddr)> {
    match bind_socket(address, sharing) {
        Err(error) if lacks_ipv6(&error) && address.ip() == Ipv6Addr::UNSPECIFIED => {
            bind_socket((Ipv4Addr::UNSPECIFIED, address.port()).into(), sharing)
        }
        bound => bound,
    }
}

fn lacks_ipv6(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::EAFNOSUPPORT as i32)
}

fn bind_socket(address: SocketAddr, sharing: PortSharing) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // Connections in TIME_WAIT would otherwise block the port after a restart.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(sharing == PortSharing::Shared)?;
    if address.is_ipv6() {
        // The default is a setting of the kernel, `net.ipv6.bindv6only`.
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG.into())?;
    into_nonblocking(socket.into())
}

fn into_nonblocking(listener: TcpListener) -> io::Result<(TcpListener, SocketAddr)> {
    listener.set_nonblocking(true)?;
    // Accepted sockets inherit them.
    let socket = SockRef::from(&listener);
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.set_tcp_mss(MAX_SEGMENT)?;
    let local_addr = listener.local_addr()?;
    Ok((listener, local_addr))
}

fn bind_error(option: &'static str, address: SocketAddr) -> impl FnOnce(io::Error) -> ListenError {
    move |cause| ListenError::Bind { option, address, cause }
}

fn remedy(cause: &io::Error, option: &str) -> String {
    match cause.kind() {
        io::ErrorKind::AddrInUse => format!("stop the process that listens there, or set {option} to another port"),
        io::ErrorKind::PermissionDenied => {
            format!("ports below 1024 need CAP_NET_BIND_SERVICE; set {option} to a higher port")
        }
        io::ErrorKind::AddrNotAvailable => format!("set {option} to an address of this machine"),
        _ if lacks_ipv6(cause) => format!("the kernel has no IPv6; set {option} to an IPv4 address"),
        _ => format!("set {option} to another address"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::net::TcpStream;

    use super::*;

    #[test]
    fn packet_on_loopback_has_several_segments() {
        let (listener, address) = bind((Ipv4Addr::LOCALHOST, 0).into(), PortSharing::Exclusive).unwrap();
        listener.set_nonblocking(false).unwrap();
        let _client = TcpStream::connect(address).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let mss = SockRef::from(&accepted).tcp_mss().unwrap();
        assert!(mss <= MAX_SEGMENT, "{mss} bytes");
    }
}
