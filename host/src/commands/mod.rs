//! The commands of the binary.

mod compile;
mod engine;
mod healthcheck;
mod inspect;
mod serve;

use std::io::{self, Write};

use crate::cli::{Cli, Command};
use crate::error::Error;

/// Runs the command to its end.
///
/// # Errors
///
/// [`Error`], which has an exit code.
pub fn run(cli: &Cli) -> Result<(), Error> {
    match &cli.command {
        None => serve::run(&cli.serve),
        Some(Command::Inspect { json, component }) => print(&inspect::run(component, *json)?),
        Some(Command::Compile { file, output, target }) => compile::run(file, output, target),
        Some(Command::Healthcheck { listen }) => healthcheck::run(listen.address()?),
    }
}

/// Prints the output of a command. A reader that closes the pipe early is no error.
///
/// # Errors
///
/// [`Error::Os`] if standard output cannot be written.
pub fn print(text: &str) -> Result<(), Error> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::os(
            "print the output",
            "redirect standard output to a file or pipe that is writable",
        )(error)),
        _ => Ok(()),
    }
}
