//! The command line: parse, delegate, exit code.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use status_host::cli::{self, ParseError};

fn main() -> ExitCode {
    let result = match cli::parse(env::args_os()) {
        Ok(cli) => status_host::run(&cli),
        Err(ParseError::Help(text)) => status_host::print(&text),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If standard error is closed, only the exit code is left.
            let _ = writeln!(
                io::stderr(),
                "status-host: {}",
                cli::replace_control_chars(&error.to_string())
            );
            ExitCode::from(error.exit_code())
        }
    }
}
