//! The process as the operating system sees it: signals, file descriptors, listening sockets, readiness.

mod fd_limit;
mod listener;
mod readiness;
mod signals;

pub(crate) use fd_limit::{ConnectionCapacity, raise_nofile_limit};
pub use listener::ListenError;
pub(crate) use listener::{BACKLOG, bind_admin, bind_or_inherit};
pub(crate) use readiness::{Phase, Readiness};
pub(crate) use signals::{BlockedSignals, Signals};
