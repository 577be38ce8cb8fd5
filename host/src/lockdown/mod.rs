//! The second wall: once everything that serving needs is open, the process gives up the rest. Whoever escapes the
//! sandbox finds no file, no program to start, no socket to open and no memory to run code in.
//!
//! | file | what it holds |
//! |---|---|
//! | `files` | Landlock: no file, no port |
//! | `calls` | seccomp: no system call that serving does not need |

mod calls;
mod files;

use tracing::{info, warn};

use crate::config::Lockdown;
use crate::error::Error;
use calls::Otherwise;

/// The first half, and what it came to.
pub struct Locking {
    mode: Lockdown,
    /// The version of Landlock that is in force.
    files: Option<i32>,
}

/// Denies files and ports to this thread and to those that it starts, so that it comes before any other is started.
#[must_use]
pub fn begin(mode: Lockdown) -> Locking {
    let files = match mode {
        Lockdown::Off => None,
        _ => files::deny().ok().flatten(),
    };
    Locking { mode, files }
}

impl Locking {
    /// Denies all threads the system calls that serving does not need, so that it comes after the last is started. One
    /// line of the log tells what is in force.
    ///
    /// # Errors
    ///
    /// [`Error::Lockdown`], where a part is required and cannot be had.
    pub fn complete(self) -> Result<(), Error> {
        let otherwise = match self.mode {
            Lockdown::Off => {
                warn!("not locked down: --lockdown is off");
                return Ok(());
            }
            Lockdown::On | Lockdown::Require => Otherwise::Fail,
            Lockdown::Kill => Otherwise::Kill,
        };
        let calls = calls::deny(otherwise).map_err(|error| format!("seccomp: the kernel refuses the filter: {error}"));
        match (self.files, calls) {
            (Some(landlock), Ok(())) => info!(landlock, seccomp = true, "locked down"),
            (files, calls) => {
                let files = files
                    .is_none()
                    .then(|| "landlock: the kernel has none, or it is not enabled".to_owned());
                let missing: Vec<_> = files.into_iter().chain(calls.err()).collect();
                let missing = missing.join("; ");
                if self.mode != Lockdown::On {
                    return Err(Error::Lockdown { missing });
                }
                warn!(missing, "locked down in part");
            }
        }
        Ok(())
    }
}
