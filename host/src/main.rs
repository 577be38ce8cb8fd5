//! The command line: parse, delegate, exit code.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use status_host::cli::{self, ParseError};
use status_host::logging;

fn main() -> ExitCode {
    let args: Vec<_> = env::args_os().collect();
    let is_json = cli::has_json_errors(&args);
    let result = match cli::parse(args) {
        Ok(cli) => status_host::run(&cli),
        Err(ParseError::Help(text)) => status_host::print(&text),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let text = error.to_string();
            let line = if is_json {
                logging::json_error(&text)
            } else {
                format!("status-host: {}", cli::replace_control_chars(&text))
            };
            // If standard error is closed, only the exit code is left.
            let _ = writeln!(io::stderr(), "{line}");
            ExitCode::from(error.exit_code())
        }
    }
}
