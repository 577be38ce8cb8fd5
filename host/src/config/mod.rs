//! What the operator asks for: the command line and the two granted variables, checked before anything starts.

mod limits;
mod observability;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::error::Error;
use crate::sandbox::Grant;

pub use limits::Limits;
pub use observability::{AdminAddress, LogFormat, Logging, Observability};

/// The longest value of a granted variable, in bytes.
const VARIABLE_LIMIT: usize = 256;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "status-host",
    about = "Tells which version of itself is running: serves GET /status from a sandboxed WebAssembly component",
    after_help = "APP_VERSION and COMMIT_SHA must be set; they are the whole environment that the component sees.",
    version = concat!(env!("CARGO_PKG_VERSION"), " (wasmtime ", env!("WASMTIME_VERSION"), ")"),
    args_conflicts_with_subcommands = true,
)]
pub struct Cli {
    /// What to do; serves where none is given.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Where to serve.
    #[command(flatten)]
    pub listen: Listen,

    /// What to serve.
    #[command(flatten)]
    pub source: Source,

    /// Whether the process locks itself in once it listens: no file, program, socket or executable memory is to be had
    /// any more
    #[arg(long, env, hide_env_values = true, value_name = "MODE", value_enum, default_value_t = Lockdown::On)]
    pub lockdown: Lockdown,

    /// What it tells of itself.
    #[command(flatten)]
    pub observability: Observability,

    /// What it may take.
    #[command(flatten)]
    pub limits: Limits,
}

/// Whether and how the process locks itself in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Lockdown {
    /// Go without
    Off,
    /// Go on with a warning where the kernel lacks it
    On,
    /// End where the kernel lacks it
    Require,
    /// As `require`, and what is forbidden kills the process in place of failing
    Kill,
}

/// The option for the address.
#[derive(Debug, Args)]
pub struct Listen {
    /// Address and port to listen on
    #[arg(
        long,
        env = "LISTEN",
        hide_env_values = true,
        value_name = "ADDRESS:PORT",
        default_value = "0.0.0.0:5000"
    )]
    listen: OsString,
}

/// The option for the component.
#[derive(Debug, Args)]
pub struct Source {
    /// Component to take in place of the embedded one, under the same grant
    #[arg(long, env = "COMPONENT", hide_env_values = true, value_name = "FILE")]
    component: Option<OsString>,
}

/// The commands beside serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the component's digest, its imports and exports, and what it is granted
    Inspect {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// What to inspect.
        #[command(flatten)]
        source: Source,
    },
    /// Compile a component ahead of time, for a status-host that has no compiler
    Compile {
        /// The portable component
        file: PathBuf,
        /// Where the compiled component goes
        output: PathBuf,
    },
    /// Ask the local /status; exit 0 when it answers 200, else 1
    Healthcheck {
        /// Where the service listens.
        #[command(flatten)]
        listen: Listen,
    },
}

/// Why there is no command line to act on.
#[derive(Debug)]
pub enum Exit {
    /// Help or the version was asked for: print this and end well.
    Print(String),
    /// The command line is wrong.
    Refuse(Error),
}

/// Reads the command line, and for options that are not there the variables that stand for them.
///
/// # Errors
///
/// [`Exit`], when there is nothing to run.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, Exit> {
    Cli::try_parse_from(arguments).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Print(error.to_string()),
        _ => Exit::Refuse(Error::Configuration(one_line(&error.to_string()))),
    })
}

impl Source {
    /// The file of the component; none for the embedded one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.component.as_deref().map(Path::new)
    }
}

impl Listen {
    /// The address to listen on.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] for what is not an IP address with a port.
    pub fn address(&self) -> Result<SocketAddr, Error> {
        let value = self.listen.to_string_lossy();
        value.parse().map_err(|_| {
            Error::Configuration(format!(
                "the address `{value}` is not valid; set --listen or LISTEN to an IP address and a port, such as \
                 0.0.0.0:5000 or [::]:5000"
            ))
        })
    }
}

/// Reads the two granted variables through `lookup`, the environment of the process outside of tests.
///
/// # Errors
///
/// [`Error::Configuration`], which names every variable that is unset, empty, not UTF-8, over 256 bytes, or that has a
/// control character.
pub fn grant(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Grant, Error> {
    let version = variable(&lookup, Grant::APP_VERSION, "the version to tell, such as 0.0.1");
    let commit = variable(
        &lookup,
        Grant::COMMIT_SHA,
        "the git commit to tell, as `git rev-parse HEAD` prints it",
    );
    match (version, commit) {
        (Ok(version), Ok(commit)) => Ok(Grant::new(version, commit)),
        (version, commit) => {
            let errors: Vec<_> = [version.err(), commit.err()].into_iter().flatten().collect();
            Err(Error::Configuration(errors.join("; ")))
        }
    }
}

fn variable(lookup: impl Fn(&str) -> Option<OsString>, name: &str, meaning: &str) -> Result<String, String> {
    let wrong = |what: &str| format!("the variable `{name}` {what}; set it to {meaning}");
    let value = lookup(name).ok_or_else(|| wrong("is not set"))?;
    let value = value.into_string().map_err(|_| wrong("is not UTF-8"))?;
    if value.len() > VARIABLE_LIMIT {
        let what = format!("has {} bytes, of which {VARIABLE_LIMIT} are allowed", value.len());
        return Err(wrong(&what));
    }
    if let Some(control) = value.chars().find(|character| character.is_control()) {
        return Err(wrong(&format!(
            "has the control character U+{:04X}",
            u32::from(control)
        )));
    }
    if value.trim().is_empty() {
        return Err(wrong("is empty"));
    }
    Ok(value)
}

/// The message of a command line error without its layout and the usage that clap adds.
fn one_line(message: &str) -> String {
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let lines: Vec<_> = message
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .collect();
    format!("{}; --help lists the options", lines.join("; "))
}

/// `text` as one line: names that come from elsewhere may hold line ends, and bytes that a terminal obeys.
#[must_use]
pub fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}
