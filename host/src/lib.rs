//! `status-host`: serves the component of the world `status` (`wit/status.wit`) over HTTP.
//!
//! A request walks one line: [`server`] → [`sandbox`] → component → [`sandbox`] → [`server`]. Around it stand
//! [`config`] (what the operator asks for), [`telemetry`] (what the operator sees), and two commands for tools:
//! [`inspect`] and [`healthcheck`].

pub mod config;
pub mod error;
pub mod healthcheck;
pub mod inspect;
pub mod sandbox;
pub mod server;
pub mod telemetry;

use config::{Cli, Command};
use error::Error;

/// Does what the command line asks for, to its end.
///
/// # Errors
///
/// Each error tells its own exit code, see [`Error::exit_code`].
pub fn run(cli: &Cli) -> Result<(), Error> {
    match &cli.command {
        None => server::run(cli),
        Some(Command::Inspect { json }) => inspect::run(cli.component.as_deref(), *json),
        Some(Command::Healthcheck) => healthcheck::run(cli.listen),
    }
}
