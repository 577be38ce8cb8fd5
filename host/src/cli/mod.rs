//! Command-line options and the environment variables that stand for them, parsed into plain values.

mod limits;
mod listen;
mod logging;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::{BoolishValueParser, PossibleValuesParser};
use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, ValueEnum};

pub use limits::{Limits, MAX_MEMORY};
pub use listen::ListenArg;
pub use logging::{AdminAddress, LogFormat, LogLevels, LoggingArgs, has_json_errors};

/// The targets that status-host is built for.
const TARGETS: [&str; 2] = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "status-host",
    about = "Serves GET /status, its own version and Git commit, from a sandboxed WebAssembly component",
    after_help = "APP_VERSION and COMMIT_SHA are required. They are the whole environment of the component.",
    version = concat!(env!("CARGO_PKG_VERSION"), " (wasmtime ", env!("WASMTIME_VERSION"), ")"),
    args_conflicts_with_subcommands = true,
)]
pub struct Cli {
    /// The command; serve if there is none.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// The options of serve.
    #[command(flatten)]
    pub serve: ServeArgs,
}

/// The options of the default command, serve.
#[derive(Args, Debug)]
pub struct ServeArgs {
    /// The service port.
    #[command(flatten)]
    pub listen: ListenArg,

    /// The component.
    #[command(flatten)]
    pub component: ComponentArg,

    /// After start-up, deny access to files, exec, new sockets and executable memory
    #[arg(long, env, hide_env_values = true, value_name = "MODE", value_enum, default_value_t = LockdownMode::On)]
    pub lockdown: LockdownMode,

    /// Threads that serve requests; by default one for each available CPU
    #[arg(long, env, hide_env_values = true, value_name = "COUNT",
        value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub worker_threads: Option<u16>,

    /// The log and the admin port.
    #[command(flatten)]
    pub logging: LoggingArgs,

    /// Limits.
    #[command(flatten)]
    pub limits: Limits,
}

/// Whether the lockdown is required, and what a violation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LockdownMode {
    /// No lockdown
    Off,
    /// Log a warning if the kernel lacks a part of it
    On,
    /// Refuse to start if the kernel lacks a part of it
    Require,
    /// As require, but a forbidden system call kills the process instead of failing
    Kill,
}

/// `--component`.
#[derive(Args, Debug)]
pub struct ComponentArg {
    /// Component to use instead of the embedded one
    #[arg(long, env = "COMPONENT", hide_env_values = true, value_name = "FILE")]
    component: Option<OsString>,

    /// Accept a precompiled component, which runs as machine code
    #[arg(long, env, hide_env_values = true, value_parser = BoolishValueParser::new())]
    pub allow_precompiled: bool,
}

/// The other commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the digest, imports and exports of a component
    Inspect {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// The component.
        #[command(flatten)]
        component: ComponentArg,
    },
    /// Compile a component ahead of time, for a status-host without a compiler
    Compile {
        /// Portable component
        file: PathBuf,
        /// File to write
        output: PathBuf,
        /// Target of the status-host that will load the file
        #[arg(long, value_name = "TRIPLE", value_parser = PossibleValuesParser::new(TARGETS),
            default_value = env!("TARGET"))]
        target: String,
    },
    /// Request /status from this machine; exit 0 if the response is 200
    Healthcheck {
        /// The address of the service.
        #[command(flatten)]
        listen: ListenArg,
    },
}

/// Why the command line gives no command to run.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// Help or the version was requested: print this and exit with 0.
    #[error("{0}")]
    Help(String),
    /// An option or its variable is invalid.
    #[error("{0}")]
    Invalid(String),
}

/// Parses the command line; variables of the environment stand for options that are absent.
///
/// # Errors
///
/// [`ParseError`] if there is nothing to run.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, ParseError> {
    Cli::try_parse_from(args).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ParseError::Help(error.to_string()),
        _ => ParseError::Invalid(one_line(&error.to_string())),
    })
}

impl ComponentArg {
    /// The file of the component; `None` for the embedded one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.component.as_deref().map(Path::new)
    }
}

/// A message of clap without its layout, usage and hints.
fn one_line(message: &str) -> String {
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let lines: Vec<_> = message
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .collect();
    format!("{}; see --help", lines.join("; "))
}

/// Makes untrusted text safe to print: one line, without terminal escape sequences.
#[must_use]
pub fn replace_control_chars(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}
