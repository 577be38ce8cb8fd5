//! The options of the log and of the admin port.

use std::net::SocketAddr;

use clap::{Args, ValueEnum};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

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
    #[arg(long, env = "RUST_LOG", hide_env_values = true, value_name = "LEVEL", default_value = "info",
        value_parser = parse_levels)]
    pub log_level: Targets,

    /// Google Cloud project of the traces, for links from the log
    #[arg(long, env, hide_env_values = true, value_name = "PROJECT")]
    pub google_cloud_project: Option<String>,
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

/// A level, or a list of `target=level`. `Targets` would parse any other word as the name of a target to log in full.
fn parse_levels(text: &str) -> Result<Targets, String> {
    // A shell exports an unset variable as an empty one.
    let text = if text.is_empty() { "info" } else { text };
    let is_path = |target: &str| target.chars().all(|char| char.is_alphanumeric() || "_:".contains(char));
    let is_valid = |part: &str| match part.split_once('=') {
        Some((target, _)) => is_path(target),
        None => part.parse::<LevelFilter>().is_ok(),
    };
    let targets = text.split(',').all(is_valid).then(|| text.parse().ok()).flatten();
    targets.ok_or_else(|| "none of off, error, warn, info, debug and trace, nor a list of target=level".to_owned())
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
