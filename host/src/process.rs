//! The process as the operating system sees it: signals, file descriptors, listening sockets.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use listenfd::ListenFd;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::{Domain, SockRef, Socket, Type};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;

/// Connections that wait in the kernel to be accepted; `net.core.somaxconn` may lower it.
pub(crate) const BACKLOG: u16 = 4096;

/// Bytes of a response that the kernel stores for a client that does not read. It doubles the value for its own
/// structures (socket(7)).
pub(crate) const SEND_BUFFER: usize = 64 * 1024;

/// How long the kernel stores bytes that a client does not acknowledge, also after the connection is closed
/// (`TCP_USER_TIMEOUT`, tcp(7)); at least `--client-timeout`.
const UNACKNOWLEDGED_TIMEOUT: Duration = Duration::from_secs(10);

/// A lack of file descriptors or memory does not pass at once.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

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
    /// Several sockets were passed.
    #[error("LISTEN_FDS is {0}, but one socket can be inherited; pass one listening TCP socket with LISTEN_FDS=1")]
    Count(usize),
    /// The inherited socket cannot be used.
    #[error("cannot listen on the socket of LISTEN_FDS: {0}; pass a listening TCP socket, or unset LISTEN_FDS")]
    Inherited(io::Error),
}

/// SIGTERM and SIGINT, delivered one at a time.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Installs the handlers. Call it in a runtime.
    pub(crate) fn install() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next signal and returns its name.
    pub(crate) async fn recv(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Raises the soft limit of file descriptors to the hard limit. Returns the limit in force.
pub(crate) fn raise_nofile_limit() -> u64 {
    let limits = getrlimit(Resource::RLIMIT_NOFILE);
    let raised = limits.map(|(soft, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_or(soft, |()| hard));
    raised.unwrap_or(u64::MAX)
}

/// The inherited socket if there is one (`LISTEN_FDS`, systemd socket activation), with the connections that wait in
/// its backlog; else a new one on `address`. Returns the bound address, which differs from `address` if its port is 0.
pub(crate) fn bind_or_inherit(
    address: SocketAddr,
    client_timeout: Duration,
) -> Result<(TcpListener, SocketAddr), ListenError> {
    let mut inherited = ListenFd::from_env();
    // All but one would accept connections in the kernel and answer none.
    if inherited.len() > 1 {
        return Err(ListenError::Count(inherited.len()));
    }
    match inherited.take_tcp_listener(0).map_err(ListenError::Inherited)? {
        Some(listener) => configure(listener, client_timeout).map_err(ListenError::Inherited),
        None => bind("--listen", address, client_timeout),
    }
}

/// A new socket on `address`, which `option` sets. `[::]` accepts IPv4 too, and only IPv4 if the kernel has no IPv6.
pub(crate) fn bind(
    option: &'static str,
    address: SocketAddr,
    client_timeout: Duration,
) -> Result<(TcpListener, SocketAddr), ListenError> {
    let bound = match bind_socket(address, client_timeout) {
        Err(error) if lacks_ipv6(&error) && address.ip() == Ipv6Addr::UNSPECIFIED => {
            bind_socket((Ipv4Addr::UNSPECIFIED, address.port()).into(), client_timeout)
        }
        bound => bound,
    };
    bound.map_err(|cause| ListenError::Bind { option, address, cause })
}

fn bind_socket(address: SocketAddr, client_timeout: Duration) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // Connections in TIME_WAIT would otherwise block the port after a restart.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // The default is a setting of the kernel, `net.ipv6.bindv6only`.
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG.into())?;
    configure(socket.into(), client_timeout)
}

/// Sets what accepted sockets inherit from a listening one.
fn configure(listener: TcpListener, client_timeout: Duration) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = SockRef::from(&listener);
    if !socket.is_listener()? {
        return Err(io::Error::other("it is not a listening socket"));
    }
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.set_tcp_user_timeout(Some(client_timeout.max(UNACKNOWLEDGED_TIMEOUT)))?;
    // A response is one write.
    socket.set_tcp_nodelay(true)?;
    listener.set_nonblocking(true)?;
    let local_addr = listener.local_addr()?;
    Ok((listener, local_addr))
}

fn lacks_ipv6(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EAFNOSUPPORT)
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

/// Waits after a failed accept, unless the error concerns only the connection that was to be accepted (accept(2)).
pub(crate) async fn accept_backoff(error: &io::Error) {
    if !is_connection_error(error) {
        sleep(ACCEPT_BACKOFF).await;
    }
}

/// Whether the next accept may succeed at once.
pub(crate) fn is_connection_error(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn accepted_socket_inherits_bounds_of_unsent_bytes_and_nodelay() {
        let (listener, address) = bind("--listen", (Ipv4Addr::LOCALHOST, 0).into(), UNACKNOWLEDGED_TIMEOUT).unwrap();
        listener.set_nonblocking(false).unwrap();
        let _client = TcpStream::connect(address).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let socket = SockRef::from(&accepted);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(UNACKNOWLEDGED_TIMEOUT));
        assert_eq!(socket.send_buffer_size().unwrap(), 2 * SEND_BUFFER);
        assert!(socket.tcp_nodelay().unwrap());
    }

    #[test]
    fn each_bind_error_has_its_remedy() {
        for (errno, remedy) in [
            (
                libc::EADDRINUSE,
                "stop the process that listens there, or set --listen to another port",
            ),
            (
                libc::EACCES,
                "ports below 1024 need CAP_NET_BIND_SERVICE; set --listen to a higher port",
            ),
            (libc::EADDRNOTAVAIL, "set --listen to an address of this machine"),
            (
                libc::EAFNOSUPPORT,
                "the kernel has no IPv6; set --listen to an IPv4 address",
            ),
            (libc::ENOBUFS, "set --listen to another address"),
        ] {
            let error = ListenError::Bind {
                option: "--listen",
                address: (Ipv4Addr::LOCALHOST, 80).into(),
                cause: io::Error::from_raw_os_error(errno),
            };
            let message = error.to_string();
            assert!(message.starts_with("cannot listen on `127.0.0.1:80`: "), "{message}");
            assert!(message.ends_with(&format!("; {remedy}")), "{message}");
        }
    }
}
