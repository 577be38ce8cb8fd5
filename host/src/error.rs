//! The error of a command: its message, a remedy, and the exit code.

use std::io;

use crate::cli::ParseError;
use crate::lockdown::LockdownError;
use crate::process::ListenError;
use crate::sandbox::{GuestEnvError, InvokeError, LoadError};

/// Why a command failed. Every message is one line and ends with a remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An option or its variable is invalid.
    #[error(transparent)]
    Cli(#[from] ParseError),
    /// A variable of the guest environment is missing or invalid.
    #[error(transparent)]
    GuestEnv(#[from] GuestEnvError),
    /// The component cannot be loaded.
    #[error(transparent)]
    Component(#[from] LoadError),
    /// The first instance of the component failed.
    #[error("cannot instantiate the component `{component}`: {cause}; use one that starts within the limits")]
    WarmUp {
        /// `embedded`, or the path of the file.
        component: String,
        /// How it failed.
        cause: InvokeError,
    },
    /// A listening socket is unavailable.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// There may be more connections than file descriptors.
    #[error(
        "{required} file descriptors may be needed, and the limit is {limit}; raise it (ulimit -n), or lower \
         --max-connections"
    )]
    FileDescriptors {
        /// Connections, and what else is open.
        required: u64,
        /// The hard limit.
        limit: u64,
    },
    /// The health check failed.
    #[error("`{url}` is unhealthy: {cause}; start the service, or set --listen to its address")]
    Unhealthy {
        /// The URL that was requested.
        url: String,
        /// The status or error that came back.
        cause: String,
    },
    /// The required lockdown is unavailable.
    #[error(transparent)]
    Lockdown(#[from] LockdownError),
    /// The operating system refused something that the command needs.
    #[error("cannot {action}: {cause}; {remedy}")]
    Os {
        /// What was attempted.
        action: &'static str,
        /// The error of the operating system.
        cause: io::Error,
        /// What to change.
        remedy: &'static str,
    },
}

impl Error {
    /// For `map_err`: the operating system refused `action`.
    pub(crate) fn os(action: &'static str, remedy: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Os { action, cause, remedy }
    }

    /// 2 if the configuration or the component has to change, else 1.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Component(LoadError::NotExecutable(..) | LoadError::MemoryImage(..)) => 1,
            Self::Cli(_)
            | Self::GuestEnv(_)
            | Self::Component(_)
            | Self::WarmUp { .. }
            | Self::Listen(ListenError::Count(_)) => 2,
            Self::Listen(_)
            | Self::FileDescriptors { .. }
            | Self::Unhealthy { .. }
            | Self::Lockdown(_)
            | Self::Os { .. } => 1,
        }
    }
}
