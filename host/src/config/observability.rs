//! The options for what the operator sees.

use std::net::SocketAddr;

use clap::{Args, ValueEnum};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

/// What the service tells of itself, and where.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Observability")]
pub struct Observability {
    /// Address and port of /metrics, /livez, /readyz and /buildinfo, or off
    #[arg(long, env, hide_env_values = true, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9090",
        value_parser = admin)]
    pub admin: AdminAddress,

    /// Share of the requests that the log tells of, at the level info: from 0, none, to 1, all
    #[arg(long, env, hide_env_values = true, value_name = "SHARE", default_value = "0", value_parser = millionths,
        allow_negative_numbers = true)]
    // In millionths.
    pub access_log: u32,

    /// What is logged, and how.
    #[command(flatten)]
    pub logging: Logging,
}

/// The log.
#[derive(Args, Clone, Debug)]
pub struct Logging {
    /// Form of the log on standard error
    #[arg(long, env, hide_env_values = true, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Auto)]
    pub log_format: LogFormat,

    /// Least severe events that are logged: off, error, warn, info, debug or trace; also by target, such as
    /// `warn,status_host=debug`
    #[arg(long, env = "RUST_LOG", hide_env_values = true, value_name = "LEVEL", default_value = "info",
        value_parser = level)]
    pub log_level: Targets,

    /// Project of Google Cloud that the traces of requests belong to, for links from the log
    #[arg(long, env, hide_env_values = true, value_name = "PROJECT")]
    pub google_cloud_project: Option<String>,
}

/// Where the service tells of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminAddress {
    /// Nowhere.
    Off,
    /// On a port of its own.
    At(SocketAddr),
}

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere
    Auto,
    /// A line of JSON for each event, with the names that Google Cloud Logging knows
    Json,
    /// A line of text for each event
    Text,
}

fn admin(text: &str) -> Result<AdminAddress, String> {
    if text == "off" {
        return Ok(AdminAddress::Off);
    }
    let address = text.parse().map(AdminAddress::At);
    address.map_err(|_| "neither off nor an IP address and a port, such as 127.0.0.1:9090 or [::]:9090".to_owned())
}

/// Levels, each alone or for a target. The parser takes for a target whatever is not a level, of which then everything is
/// logged, and of others nothing.
fn level(text: &str) -> Result<Targets, String> {
    // Unset, as far as a shell is concerned.
    let text = if text.is_empty() { "info" } else { text };
    let is_path = |target: &str| target.chars().all(|part| part.is_alphanumeric() || "_:".contains(part));
    let is_known = |part: &str| match part.split_once('=') {
        Some((target, _)) => is_path(target),
        None => part.parse::<LevelFilter>().is_ok(),
    };
    let targets = text.split(',').all(is_known).then(|| text.parse().ok()).flatten();
    targets.ok_or_else(|| "none of off, error, warn, info, debug and trace, nor a list of target=level".to_owned())
}

/// A share of one, in millionths.
fn millionths(text: &str) -> Result<u32, String> {
    let share: f64 = text.parse().unwrap_or(f64::NAN);
    if !(0.0..=1.0).contains(&share) {
        return Err("not between 0 and 1".to_owned());
    }
    let millionths = (share * 1e6).ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to a million"
    )]
    Ok(millionths as u32)
}
