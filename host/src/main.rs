//! The command line: parse, delegate, exit code.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use status_host::config;

fn main() -> ExitCode {
    let result = match config::parse(env::args_os()) {
        Ok(cli) => status_host::run(&cli),
        Err(config::Stop::Print(text)) => return print(&text),
        Err(config::Stop::Refuse(error)) => Err(error),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the one line that an operator looks for")]
            {
                eprintln!("status-host: {error}");
            }
            ExitCode::from(error.exit_code())
        }
    }
}

/// Prints what was asked for. A reader that went away is no failure of the command.
fn print(text: &str) -> ExitCode {
    let _ = io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}
