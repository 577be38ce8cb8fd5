//! `status-host` serves a component of the world `status` (`wit/status.wit`) over HTTP.
//!
//! A request takes one path: [`http`] → [`sandbox`] → component → [`sandbox`] → [`http`]. Imports between modules point
//! down this list only:
//!
//! | module | contents |
//! |---|---|
//! | `commands` | serve, inspect, compile, healthcheck; start-up is `commands::serve` |
//! | `error` | the error of a command: message, remedy, exit code |
//! | [`http`] | connections, request validation, responses |
//! | `admin`, [`sandbox`], [`lockdown`] | the admin port; one instance per request; Landlock and seccomp |
//! | [`metrics`], `process`, [`cli`] | counters; signals, sockets, file descriptors; options |
//! | [`logging`] | log events on standard error |
//!
//! Public modules are those that the binary, the tests, the fuzz targets or the benchmarks use.

mod admin;
pub mod cli;
mod commands;
mod error;
pub mod http;
pub mod lockdown;
pub mod logging;
pub mod metrics;
mod process;
pub mod sandbox;

pub use commands::{print, run};
pub use error::Error;
