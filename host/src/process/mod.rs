//! The process as the operating system sees it: signals, file descriptors, listening sockets, readiness.

mod accept_backoff;
mod capacity;
mod heartbeat;
mod listener;
mod memory_limit;
mod readiness;
mod signals;

pub(crate) use accept_backoff::accept_backoff;
pub(crate) use capacity::{ConnectionCapacity, ProcessLimits, raise_nofile_limit};
pub(crate) use heartbeat::Heartbeat;
pub(crate) use listener::{BACKLOG, bind_admin, bind_or_inherit};
pub use listener::{ListenError, SOCKET_MEMORY};
pub(crate) use memory_limit::memory_limit;
pub(crate) use readiness::{Phase, Readiness};
pub(crate) use signals::{BlockedSignals, Signals};
