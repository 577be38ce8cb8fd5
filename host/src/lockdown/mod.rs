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
    /// The version of Landlock, or why there is none.
    files: Result<i32, String>,
}

/// Denies files and ports to this thread and to those that it starts, so that it comes before any other is started.
#[must_use]
pub fn begin(mode: Lockdown) -> Locking {
    let files = match mode {
        Lockdown::Off => Err("it is off".to_owned()),
        _ => files::deny()
            .map_err(|error| error.to_string())
            .and_then(|version| version.ok_or_else(|| "the kernel has none, or it is not enabled".to_owned())),
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
        let calls = calls::deny(otherwise).map_err(|error| format!("the kernel refuses the filter: {error}"));
        match (self.files, calls) {
            (Ok(landlock), Ok(())) => info!(landlock, seccomp = true, "locked down"),
            (files, calls) => {
                let part = |name: &str, missing: Option<String>| missing.map(|why| format!("{name}: {why}"));
                let missing = [part("landlock", files.err()), part("seccomp", calls.err())];
                let missing: Vec<_> = missing.into_iter().flatten().collect();
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
