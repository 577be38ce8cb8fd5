//! The default command: serves the component until a signal ends it.
//!
//! Each phase consumes the one before, so that the compiler checks their order:
//!
//! | phase | type | may |
//! |---|---|---|
//! | 1 | `BlockedSignals` | |
//! | 2 | [`Resources`](resources::Resources) | open files and sockets |
//! | 3 | [`Confined`](confined::Confined) | start threads, but not open anything |
//! | 4 | [`Threads`](threads::Threads) | run the component, once seccomp is in force |

mod confined;
mod metrics;
mod resources;
mod threads;

use crate::cli::ServeArgs;
use crate::error::Error;
use crate::process::BlockedSignals;
use resources::Resources;

const REMEDY: &str = "allow rt_sigprocmask in the seccomp profile of the container";

/// Serves until a signal. Every failure comes before the first accepted connection. A signal before
/// that ends the process.
pub(super) fn run(args: &ServeArgs) -> Result<(), Error> {
    // Before any thread, since threads inherit the mask: an early signal then waits instead of killing the process.
    let signals = BlockedSignals::block().map_err(Error::os("block SIGTERM and SIGINT", REMEDY))?;
    let Some(resources) = Resources::acquire(signals, args)? else {
        return Ok(());
    };
    resources
        .restrict_filesystem(args.lockdown)
        .spawn_threads(args)?
        .serve()
}
