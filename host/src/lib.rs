//! `status-host`: serves the component of the world `status` (`wit/status.wit`) over HTTP.
//!
//! A request walks one line: [`server`] → [`sandbox`] → component → [`sandbox`] → [`server`]. Around it stand
//! [`config`] (what the operator asks for), [`telemetry`] (what the operator sees), [`admin`]
//! (where they see it), [`lockdown`] (what the process gives up), and the commands [`inspect`], [`compile`] and
//! [`healthcheck`].

pub mod admin;
pub mod compile;
pub mod config;
pub mod error;
pub mod healthcheck;
pub mod inspect;
pub mod lockdown;
pub mod sandbox;
pub mod server;
pub mod telemetry;

use std::io::{self, Write};

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
        Some(Command::Inspect { json, source }) => inspect::run(source.file(), *json),
        Some(Command::Compile { file, output }) => compile::run(file, output),
        Some(Command::Healthcheck { listen }) => healthcheck::run(listen.address()?),
    }
}

/// Prints to standard output what a command was asked for. A reader that has seen enough is no failure.
///
/// # Errors
///
/// [`Error::System`], where the text cannot be written.
pub fn print(text: &str) -> Result<(), Error> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::system("print")(error)),
        _ => Ok(()),
    }
}
