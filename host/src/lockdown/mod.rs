//! The lockdown: once everything that serving needs is open, the process denies itself the rest. Code that escapes the
//! sandbox then finds no files, no programs to execute, no new sockets and no executable memory.
//!
//! | module | contents |
//! |---|---|
//! | `landlock` | denies files and ports |
//! | `seccomp` | denies system calls that serving does not need |

mod landlock;
mod seccomp;
#[cfg(test)]
mod tests;

use tracing::{info, warn};

use crate::cli::LockdownMode;
use seccomp::DefaultAction;

/// A required part of the lockdown is unavailable.
#[derive(Debug, thiserror::Error)]
#[error("cannot lock down the process: {missing}; use a kernel that supports it, or --lockdown=on to serve without it")]
pub struct LockdownError {
    missing: String,
}

/// The first half: Landlock, if the kernel has it.
pub struct FilesystemLocked {
    mode: LockdownMode,
    landlock_abi: Option<i32>,
}

/// The lockdown that is in force.
pub enum Lockdown {
    /// It is off.
    Disabled,
    /// All of it.
    Complete {
        /// The version of Landlock.
        landlock_abi: i32,
    },
    /// A part of it.
    Incomplete {
        /// The other part, and why it is unavailable.
        missing: String,
    },
}

/// Denies files and ports to this thread and to those that it starts later: call it before any other thread starts.
#[must_use]
pub fn restrict_filesystem(mode: LockdownMode) -> FilesystemLocked {
    let landlock_abi = match mode {
        LockdownMode::Off => None,
        _ => landlock::deny_all().ok().flatten(),
    };
    FilesystemLocked { mode, landlock_abi }
}

impl FilesystemLocked {
    /// Denies system calls to all threads: call it after the last thread has started.
    ///
    /// # Errors
    ///
    /// [`LockdownError`] if a part is required and unavailable.
    pub fn restrict_syscalls(self) -> Result<Lockdown, LockdownError> {
        let default_action = match self.mode {
            LockdownMode::Off => return Ok(Lockdown::Disabled),
            LockdownMode::On | LockdownMode::Require => DefaultAction::Fail,
            LockdownMode::Kill => DefaultAction::Kill,
        };
        let seccomp = seccomp::restrict(default_action);
        let seccomp = seccomp.map_err(|error| format!("seccomp: the kernel rejects the filter: {error}"));
        let (landlock_abi, seccomp_error) = match (self.landlock_abi, seccomp) {
            (Some(landlock_abi), Ok(())) => return Ok(Lockdown::Complete { landlock_abi }),
            (landlock_abi, seccomp) => (landlock_abi, seccomp.err()),
        };
        let landlock_error = landlock_abi
            .is_none()
            .then(|| "landlock: the kernel does not support it, or it is disabled".to_owned());
        let missing: Vec<_> = landlock_error.into_iter().chain(seccomp_error).collect();
        let missing = missing.join("; ");
        match self.mode {
            LockdownMode::On => Ok(Lockdown::Incomplete { missing }),
            _ => Err(LockdownError { missing }),
        }
    }
}

impl Lockdown {
    pub(crate) fn log(&self) {
        match self {
            Self::Disabled => warn!("lockdown disabled"),
            Self::Complete { landlock_abi } => info!(landlock = landlock_abi, seccomp = true, "lockdown in force"),
            Self::Incomplete { missing } => warn!(missing, "lockdown incomplete"),
        }
    }
}
