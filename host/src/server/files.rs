//! How many files can be open, and so how many connections.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tracing::warn;

use crate::admin;

/// Files that are opened after those that are counted: what the threads wait on, and a few to spare.
const LATER: u64 = 32;

/// Connections above the limit that are told so at the same time; those above are just closed.
const REFUSALS: u32 = 256;

/// How many connections there is room for.
#[derive(Clone, Copy)]
pub(super) struct Room {
    /// That are served.
    pub(super) connections: u32,
    /// That are told that they are not.
    pub(super) refusals: u32,
}

/// Allows this process as many open files as it may allow itself, and returns how many that are.
pub(super) fn raise() -> u64 {
    let limits = getrlimit(Resource::RLIMIT_NOFILE);
    let raised = limits.map(|(soft, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_or(soft, |()| hard));
    raised.unwrap_or(u64::MAX)
}

/// Room for the connections that are `wanted`, or for those that can be had where `files` can be open and `open` are. Those
/// above are then refused, and not left to wait, and the admin port has files of its own.
pub(super) fn room(files: u64, open: u64, wanted: u32) -> Room {
    let others = open + admin::CONNECTIONS as u64 + LATER;
    let all = u32::try_from(files.saturating_sub(others)).unwrap_or(u32::MAX);
    let refusals = (all / 4).clamp(1, REFUSALS);
    let connections = wanted.min((all - refusals.min(all)).max(1));
    Room { connections, refusals }
}

/// Tells of connections that were wanted and are not to be had.
pub(super) fn warn(files: u64, wanted: u32, room: Room) {
    if room.connections < wanted {
        warn!(
            files,
            max_connections = wanted,
            connections = room.connections,
            "fewer files can be open than connections are allowed; raise the limit of open files, or lower --max-connections"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_can_be_open_is_within_the_files() {
        for files in [0, 24, 64, 100, 256, 1024, 20_000, u64::MAX] {
            for open in [5, 200] {
                let Room { connections, refusals } = room(files, open, 16_384);
                let all = open + admin::CONNECTIONS as u64 + u64::from(connections) + u64::from(refusals);
                assert!(
                    all <= files || (connections, refusals) == (1, 1),
                    "{connections} and {refusals} of {files}"
                );
            }
        }
        let Room { connections, refusals } = room(20_000, 5, 16_384);
        assert_eq!((connections, refusals), (16_384, 256));
    }
}
