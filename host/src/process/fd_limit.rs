//! The limit of file descriptors, and the number of connections that fits.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tracing::warn;

/// Descriptors that are opened after the count: epoll instances, event descriptors, and some to spare.
const FD_RESERVE: u64 = 32;

/// Connections beyond the limit that get a 503 at the same time; further ones are closed without a response.
const MAX_OVERLOAD_CONNECTIONS: u32 = 256;

/// The capacity for connections.
#[derive(Clone, Copy)]
pub(crate) struct ConnectionCapacity {
    /// Connections that are served.
    pub(crate) connections: u32,
    /// Further connections that get a 503.
    pub(crate) overload: u32,
    fd_limit: u64,
    max_connections: u32,
}

/// Raises the soft limit of file descriptors to the hard limit. Returns the limit in force.
pub(crate) fn raise_nofile_limit() -> u64 {
    let limits = getrlimit(Resource::RLIMIT_NOFILE);
    let raised = limits.map(|(soft, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_or(soft, |()| hard));
    raised.unwrap_or(u64::MAX)
}

impl ConnectionCapacity {
    /// `max_connections`, or as many as fit `fd_limit` beside the descriptors that are `reserved`. Connections beyond
    /// that then get a 503 instead of waiting in the kernel.
    pub(crate) fn from_fd_limit(fd_limit: u64, reserved: u64, max_connections: u32) -> Self {
        let available = fd_limit.saturating_sub(reserved + FD_RESERVE);
        let available = u32::try_from(available).unwrap_or(u32::MAX);
        let overload = (available / 4).clamp(1, MAX_OVERLOAD_CONNECTIONS);
        let connections = max_connections.min((available - overload.min(available)).max(1));
        Self {
            connections,
            overload,
            fd_limit,
            max_connections,
        }
    }

    pub(crate) fn warn_if_reduced(&self) {
        if self.connections < self.max_connections {
            warn!(
                fd_limit = self.fd_limit,
                max_connections = self.max_connections,
                capacity = self.connections,
                "file descriptor limit reduces connection capacity; raise RLIMIT_NOFILE or lower --max-connections"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacity_fits_the_fd_limit() {
        for fd_limit in [0, 24, 64, 100, 256, 1024, 20_000, u64::MAX] {
            for reserved in [5, 200] {
                let capacity = ConnectionCapacity::from_fd_limit(fd_limit, reserved, 16_384);
                let (connections, overload) = (capacity.connections, capacity.overload);
                assert!(
                    reserved + u64::from(connections) + u64::from(overload) <= fd_limit
                        || (connections, overload) == (1, 1),
                    "{connections} and {overload} of {fd_limit}"
                );
            }
        }
    }

    #[test]
    fn capacity_is_max_connections_if_the_fd_limit_allows() {
        let capacity = ConnectionCapacity::from_fd_limit(20_000, 5, 16_384);
        assert_eq!((capacity.connections, capacity.overload), (16_384, 256));
    }
}
