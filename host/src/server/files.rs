//! How many files can be open, and so how many connections.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tracing::warn;

use crate::config::Limits;

/// Files that are open beside the connections of the service: those that are refused, those of the admin port, and what
/// is open from the start.
const OTHERS: u64 = 256 + 64 + 64;

/// The fewest connections that are tried to be had, however few files can be open.
const FEW_CONNECTIONS: u32 = 16;

/// Allows this process as many open files as it may allow itself, and returns how many that are.
pub(super) fn raise() -> u64 {
    let limits = getrlimit(Resource::RLIMIT_NOFILE);
    let raised = limits.map(|(soft, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_or(soft, |()| hard));
    raised.unwrap_or(u64::MAX)
}

/// No more connections than files can be open for them: those above are then refused, and not left to wait, and the admin
/// port has files of its own.
pub(super) fn within(files: u64, limits: Limits) -> Limits {
    let room = u32::try_from(files.saturating_sub(OTHERS)).unwrap_or(u32::MAX);
    Limits {
        max_connections: limits.max_connections.min(room.max(FEW_CONNECTIONS)),
        ..limits
    }
}

/// Tells of connections that were wanted and are not to be had.
pub(super) fn warn(files: u64, wanted: &Limits, limits: &Limits) {
    if limits.max_connections < wanted.max_connections {
        warn!(
            files,
            max_connections = wanted.max_connections,
            connections = limits.max_connections,
            "fewer files can be open than connections are allowed; raise the limit of open files, or lower --max-connections"
        );
    }
}
