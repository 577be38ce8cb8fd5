//! Everything that ends the process early, and with which exit code.

use std::io;
use std::net::SocketAddr;

use crate::sandbox::LoadError;

/// Why the process ends without having done what it was asked for. Every message is one line.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An option or a variable has no usable value.
    #[error("{0}")]
    Configuration(String),
    /// The component cannot be served.
    #[error(transparent)]
    Component(#[from] LoadError),
    /// The address cannot be listened on.
    #[error("cannot listen on `{address}`: {cause}; {}", way_out(.cause, .option))]
    Listen {
        /// The option that names it.
        option: &'static str,
        /// The address as configured.
        address: SocketAddr,
        /// What the operating system says.
        cause: io::Error,
    },
    /// What was handed over to listen on is no listening socket.
    #[error("cannot listen on what LISTEN_FDS hands over: {cause}; hand over a listening TCP socket, or none")]
    Handover {
        /// What is wrong with it.
        cause: io::Error,
    },
    /// The service did not answer a health check as it should.
    #[error(
        "`http://{address}/status` is not healthy: {cause}; start the service, or name where it listens with --listen"
    )]
    Unhealthy {
        /// The address that was asked.
        address: SocketAddr,
        /// What came instead of the answer.
        cause: String,
    },
    /// The process cannot be locked down as it has to.
    #[error("cannot lock the process down: {missing}; use a kernel that has it, or --lockdown=on to go without")]
    Lockdown {
        /// What is missing, and why.
        missing: String,
    },
    /// The operating system refuses something that the process cannot do without.
    #[error("cannot {action}: {cause}; free what is lacking, or raise its limit, and start again")]
    System {
        /// What was tried.
        action: &'static str,
        /// What the operating system says.
        cause: io::Error,
    },
}

impl Error {
    /// For `map_err`: the operating system refused to `action`.
    pub(crate) fn system(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::System { action, cause }
    }

    /// 2 where the configuration has to change, 1 where it was right and serving failed all the same.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Configuration(_) | Self::Component(_) => 2,
            Self::Listen { .. }
            | Self::Handover { .. }
            | Self::Unhealthy { .. }
            | Self::Lockdown { .. }
            | Self::System { .. } => 1,
        }
    }
}

fn way_out(cause: &io::Error, option: &str) -> String {
    match cause.kind() {
        io::ErrorKind::AddrInUse => {
            format!("stop the process that listens there, or choose another port with {option}")
        }
        io::ErrorKind::PermissionDenied => {
            format!("ports below 1024 need a privilege; choose a higher one with {option}")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("this machine has no such address; with {option} 0.0.0.0 takes all it has")
        }
        _ => format!("choose another address with {option}"),
    }
}
