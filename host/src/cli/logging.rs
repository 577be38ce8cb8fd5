//! The options of the log and of the admin port.

use std::convert::Infallible;
use std::env;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::str::FromStr;

use clap::{Args, CommandFactory, ValueEnum};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

use super::Cli;

/// The log and the admin port.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Observability")]
pub struct LoggingArgs {
    /// Address and port of /metrics, /livez, /readyz and /buildinfo, or off
    #[arg(long, env, hide_env_values = true, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9090",
        value_parser = parse_admin)]
    pub admin: AdminAddress,

    /// Fraction of requests to log at level info, from 0 (none) to 1 (all)
    #[arg(long, env, hide_env_values = true, value_name = "FRACTION", default_value = "0",
        value_parser = parse_millionths, allow_negative_numbers = true)]
    // In millionths.
    pub access_log: u32,

    /// Format of the log on standard error
    #[arg(long, env, hide_env_values = true, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Auto)]
    pub log_format: LogFormat,

    /// Minimum level to log: off, error, warn, info, debug or trace
    ///
    /// A list of targets is possible as well: `warn,status_host=debug`.
    #[arg(
        long,
        env = "RUST_LOG",
        hide_env_values = true,
        value_name = "LEVEL",
        default_value = "info"
    )]
    pub log_level: LogLevels,

    /// Google Cloud project of the traces, for links from the log
    #[arg(long, env, hide_env_values = true, value_name = "PROJECT")]
    pub google_cloud_project: Option<String>,
}

/// `--log-level`.
#[derive(Clone, Debug)]
pub struct LogLevels {
    /// The levels; `info` if the value is invalid.
    pub targets: Targets,
    /// The value, if it is invalid.
    pub invalid: Option<String>,
}

/// `--admin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminAddress {
    /// No admin port.
    Off,
    /// Listen here.
    At(SocketAddr),
}

/// `--log-format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text on a terminal, else JSON
    Auto,
    /// One JSON object per event, with the field names of Google Cloud Logging
    Json,
    /// One line of text per event
    Text,
}

fn parse_admin(text: &str) -> Result<AdminAddress, String> {
    if text == "off" {
        return Ok(AdminAddress::Off);
    }
    let address = text.parse().map(AdminAddress::At);
    address.map_err(|_| "neither off nor an IP address and a port, such as 127.0.0.1:9090 or [::]:9090".to_owned())
}

/// Whether an error is a log event in JSON: the command is serve, and its log format is `json`. An invalid command line
/// has a format too.
#[must_use]
pub fn has_json_errors(args: &[OsString]) -> bool {
    let mut args = args.iter().skip(1).filter_map(|arg| arg.to_str()).peekable();
    let is_command = |name: &&str| !name.starts_with('-') && Cli::command().find_subcommand(name).is_some();
    if args.peek().is_some_and(is_command) {
        return false;
    }
    let mut format = env::var("LOG_FORMAT").ok();
    while let Some(arg) = args.next() {
        match arg.strip_prefix("--log-format") {
            Some("") => format = args.next().map(str::to_owned),
            Some(value) => format = value.strip_prefix('=').map(str::to_owned),
            None => {}
        }
    }
    format.as_deref() == Some("json")
}

/// `RUST_LOG` is often set for a whole cluster. So whatever other programs accept is accepted, and nothing is an error.
impl FromStr for LogLevels {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let (targets, invalid) = match parse_levels(text) {
            Some(targets) => (targets, None),
            None => (Targets::new().with_default(LevelFilter::INFO), Some(text.to_owned())),
        };
        Ok(Self { targets, invalid })
    }
}

/// The syntax of `EnvFilter` in `tracing-subscriber`, without its regular expressions.
fn parse_levels(text: &str) -> Option<Targets> {
    let mut directives = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .peekable();
    if directives.peek().is_none() {
        // A shell exports an unset variable as an empty one.
        return Some(Targets::new().with_default(LevelFilter::INFO));
    }
    directives.try_fold(Targets::new(), with_directive)
}

fn with_directive(targets: Targets, directive: &str) -> Option<Targets> {
    if let Some((_, level)) = directive.rsplit_once(']') {
        // A filter for spans, which the service does not have.
        return parse_level(level.strip_prefix('=').unwrap_or(level)).map(|_| targets);
    }
    let (target, level) = match directive.split_once('=') {
        Some((target, level)) => (target, parse_level(level)?),
        None => match directive.parse::<LevelFilter>() {
            Ok(level) => return Some(targets.with_default(level)),
            Err(_) => (directive, LevelFilter::TRACE),
        },
    };
    let is_target = target.starts_with(|first: char| first.is_alphanumeric() || "-:_".contains(first));
    is_target.then(|| targets.with_target(target, level))
}

/// The level of a directive; every level if there is none.
fn parse_level(text: &str) -> Option<LevelFilter> {
    if text.is_empty() {
        return Some(LevelFilter::TRACE);
    }
    text.parse().ok()
}

/// A fraction, in millionths.
fn parse_millionths(text: &str) -> Result<u32, String> {
    let fraction: f64 = text.parse().unwrap_or(f64::NAN);
    if !(0.0..=1.0).contains(&fraction) {
        return Err("not between 0 and 1".to_owned());
    }
    let millionths = (fraction * 1e6).ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and a million"
    )]
    Ok(millionths as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The levels in a normal form.
    fn levels(text: &str) -> Option<String> {
        parse_levels(text).map(|targets| targets.to_string())
    }

    #[test]
    fn directives_of_env_filter_are_accepted() {
        for (text, expected) in [
            ("", "info"),
            (",", "info"),
            ("WARN", "warn"),
            ("3", "info"),
            ("info,my-crate=debug", "my-crate=debug,info"),
            ("info, my_crate::module=off,", "my_crate::module=off,info"),
            ("my-crate", "my-crate=trace"),
            ("my-crate=", "my-crate=trace"),
            ("info,[span]=debug", "info"),
            ("info,my-crate[span{field=1}]=debug", "info"),
            ("info,[{field}]", "info"),
        ] {
            assert_eq!(levels(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_directives_are_not_accepted() {
        for text in [
            "my-crate=loud",
            "info,a=b=debug",
            "=debug",
            "$x",
            "[span",
            "[span]=loud",
            "[span]debug=info",
        ] {
            assert_eq!(levels(text), None, "{text}");
        }
    }
}
