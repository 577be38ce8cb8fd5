//! The command line: parse, delegate, exit code.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use status_host::config;

fn main() -> ExitCode {
    let result = match config::parse(env::args_os()) {
        Ok(cli) => status_host::run(&cli),
        Err(config::Exit::Print(text)) => status_host::print(&format!("{}\n", text.trim_end())),
        Err(config::Exit::Refuse(error)) => Err(error),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where standard error is closed the exit code has to do.
            let _ = writeln!(io::stderr(), "status-host: {}", config::printable(&error.to_string()));
            ExitCode::from(error.exit_code())
        }
    }
}
