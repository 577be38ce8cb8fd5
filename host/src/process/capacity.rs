//! The number of connections that fits the limits of the process.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tracing::{info, warn};

/// Connections that are served if no limit of the process is lower.
const DEFAULT_CONNECTIONS: u32 = 16_384;

/// Descriptors that are opened after the count: epoll instances, event descriptors, and some to spare.
const FD_RESERVE: u64 = 32;

/// Memory that is not for connections: a quarter, and at least this many bytes. It is for the process itself, for
/// instances, and for connections over the limit.
const MIN_MEMORY_RESERVE: u64 = 32 * 1024 * 1024;

/// Connections beyond the limit that get a 503 at the same time; further ones are closed without a response.
const MAX_OVERLOAD_CONNECTIONS: u32 = 256;

/// The limits of the process, and what one connection needs.
#[derive(Clone, Copy)]
pub(crate) struct ProcessLimits {
    /// File descriptors.
    pub(crate) fds: u64,
    /// File descriptors that are in use, or for something else.
    pub(crate) reserved_fds: u64,
    /// Bytes of memory.
    pub(crate) memory: Option<u64>,
    /// Bytes of memory of one connection.
    pub(crate) connection_memory: u64,
}

/// The capacity for connections.
#[derive(Clone, Copy)]
pub(crate) struct ConnectionCapacity {
    /// Connections that are served.
    pub(crate) connections: u32,
    /// Further connections that get a 503.
    pub(crate) overload: u32,
    limits: ProcessLimits,
    max_connections: Option<u32>,
}

/// Raises the soft limit of file descriptors to the hard limit. Returns the limit in force.
pub(crate) fn raise_nofile_limit() -> u64 {
    let limits = getrlimit(Resource::RLIMIT_NOFILE);
    let raised = limits.map(|(soft, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_or(soft, |()| hard));
    raised.unwrap_or(u64::MAX)
}

impl ProcessLimits {
    /// Connections for which the file descriptors suffice, and connections over the limit beside them.
    fn fitting_fds(&self) -> (u32, u32) {
        let available = self.fds.saturating_sub(self.reserved_fds + FD_RESERVE);
        let available = u32::try_from(available).unwrap_or(u32::MAX);
        let overload = (available / 4).clamp(1, MAX_OVERLOAD_CONNECTIONS);
        ((available - overload.min(available)).max(1), overload)
    }

    /// Connections for which the memory suffices in the worst case.
    fn fitting_memory(&self) -> u32 {
        let Some(memory) = self.memory else { return u32::MAX };
        let reserve = MIN_MEMORY_RESERVE.max(memory / 4);
        let fitting = memory.saturating_sub(reserve) / self.connection_memory;
        u32::try_from(fitting).unwrap_or(u32::MAX).max(1)
    }
}

impl ConnectionCapacity {
    /// `max_connections`, by default as many as fit the memory, but no more than the file descriptors suffice for.
    /// Connections beyond that then get a 503 instead of waiting in the kernel.
    pub(crate) fn new(limits: ProcessLimits, max_connections: Option<u32>) -> Self {
        let (fitting_fds, overload) = limits.fitting_fds();
        let default = DEFAULT_CONNECTIONS.min(limits.fitting_memory());
        Self {
            connections: max_connections.unwrap_or(default).min(fitting_fds),
            overload,
            limits,
            max_connections,
        }
    }

    /// Logs the capacity, and warns if `--max-connections` does not fit a limit.
    pub(crate) fn log(&self) {
        let ProcessLimits {
            fds,
            memory,
            connection_memory,
            ..
        } = self.limits;
        let connections = self.connections;
        info!(
            connections,
            memory_limit = memory,
            connection_memory,
            fd_limit = fds,
            "connection capacity"
        );
        let Some(max_connections) = self.max_connections else {
            return;
        };
        if connections < max_connections {
            warn!(
                fd_limit = fds,
                max_connections,
                capacity = connections,
                "file descriptor limit reduces connection capacity; raise RLIMIT_NOFILE or lower --max-connections"
            );
        }
        let fitting = self.limits.fitting_memory();
        if fitting < connections {
            warn!(
                memory_limit = memory,
                max_connections,
                fitting,
                "connections may need more than the memory limit; raise it or lower --max-connections"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use tracing::subscriber::with_default;
    use tracing_subscriber::fmt;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    const MIB: u64 = 1024 * 1024;

    fn limits(fds: u64, memory: Option<u64>) -> ProcessLimits {
        ProcessLimits {
            fds,
            reserved_fds: 5,
            memory,
            connection_memory: 128 * 1024,
        }
    }

    #[test]
    fn capacity_fits_the_fd_limit() {
        for fds in [0, 24, 64, 100, 256, 1024, 20_000, u64::MAX] {
            for reserved_fds in [5, 200] {
                let limits = ProcessLimits {
                    reserved_fds,
                    ..limits(fds, None)
                };
                let ConnectionCapacity {
                    connections, overload, ..
                } = ConnectionCapacity::new(limits, None);
                assert!(
                    reserved_fds + u64::from(connections) + u64::from(overload) <= fds
                        || (connections, overload) == (1, 1),
                    "{connections} and {overload} of {fds}"
                );
            }
        }
    }

    #[test]
    fn default_capacity_fits_the_memory_limit() {
        for (memory, expected) in [
            (None, 16_384),
            (Some(u64::MAX), 16_384),
            (Some(4096 * MIB), 16_384),
            (Some(256 * MIB), 1536),
            (Some(64 * MIB), 256),
            (Some(MIB), 1),
        ] {
            let capacity = ConnectionCapacity::new(limits(20_000, memory), None);
            assert_eq!((capacity.connections, capacity.overload), (expected, 256), "{memory:?}");
        }
    }

    #[test]
    fn explicit_limit_is_reduced_by_file_descriptors_only() {
        let log = tracing_subscriber::registry().with(fmt::layer().with_writer(io::sink));
        with_default(log, || {
            for (limits, max_connections, expected) in [
                (limits(20_000, Some(64 * MIB)), Some(5000), 5000),
                (limits(1000, None), Some(5000), 723),
                (limits(20_000, None), None, 16_384),
            ] {
                let capacity = ConnectionCapacity::new(limits, max_connections);
                assert_eq!(capacity.connections, expected);
                capacity.log();
            }
        });
    }
}
