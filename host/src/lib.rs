//! `status-host` serves a component of the world `status` (`wit/status.wit`) over HTTP.
//!
//! A request takes one path: `http` → [`sandbox`] → component → [`sandbox`] → `http`. Imports between modules point
//! down this list only:
//!
//! | module | contents |
//! |---|---|
//! | `serve`, `healthcheck` | the commands; start-up is one function, `serve::run` |
//! | `error` | the error of a command: message, remedy, exit code |
//! | `http` | connections, request validation, responses |
//! | `admin`, [`sandbox`], `lockdown` | the admin port; one instance per request; Landlock and seccomp |
//! | `metrics`, `health`, `process`, [`cli`] | counters; state for the probes; signals and sockets; options |
//! | [`logging`], `trace_context` | log events on standard error |
//!
//! Public modules are those that the binary and the tests use.

mod admin;
pub mod cli;
mod error;
mod health;
mod healthcheck;
mod http;
mod lockdown;
pub mod logging;
mod metrics;
mod process;
pub mod sandbox;
mod serve;
mod trace_context;

pub use error::Error;

use cli::{Cli, Command};

/// Runs the command to its end.
///
/// # Errors
///
/// [`Error`], which has an exit code.
pub fn run(cli: &Cli) -> Result<(), Error> {
    match &cli.command {
        None => serve::run(&cli.serve),
        Some(Command::Healthcheck { listen }) => healthcheck::run(listen.address()?),
    }
}
