//! The command line: parse, delegate, exit code.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use status_host::cli::{self, ParseError};
use status_host::{Error, logging};

fn main() -> ExitCode {
    let result = match cli::parse(env::args_os()) {
        Ok(cli) => status_host::run(&cli),
        Err(ParseError::Help(text)) => {
            // A reader may close the pipe early.
            let _ = io::stdout().write_all(text.as_bytes());
            Ok(())
        }
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Prints an error as one line, without terminal escape sequences.
fn report(error: &Error) {
    let text = error.to_string();
    let line = if cli::has_json_errors() {
        logging::json_error(&text)
    } else {
        format!("status-host: {}", text.replace(char::is_control, "\u{fffd}"))
    };
    // If standard error is closed, only the exit code is left.
    let _ = writeln!(io::stderr(), "{line}");
}
