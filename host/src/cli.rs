//! Command-line options and the environment variables that stand for them, parsed into plain values.

use std::env;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use clap::error::ErrorKind;
use clap::{Arg, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

/// Upper bound of `--max-memory`, in bytes: the address space that is reserved for each instance.
pub(crate) const MAX_MEMORY: usize = 16 * 1024 * 1024;

/// Where the service listens by default: on all addresses, of both families.
const DEFAULT_IP: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
const DEFAULT_PORT: u16 = 5000;

/// Bytes of one page of linear memory (WebAssembly 2.0, section 4.2.8), the lower bound of `--max-memory`.
const WASM_PAGE: u64 = 64 * 1024;

/// Upper bound of `--max-body`, in bytes.
const MAX_BODY: u64 = 1024 * 1024;

const MAX_TIME: Duration = Duration::from_hours(24);

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
    pub(crate) command: Option<Command>,

    /// The options of serve.
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

/// The other commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Request /status from this machine; exit 0 if the response is 200
    Healthcheck {
        /// The address of the service.
        #[command(flatten)]
        listen: ListenArg,
    },
}

/// The options of the default command, serve.
#[derive(Args, Debug)]
pub(crate) struct ServeArgs {
    /// The service port.
    #[command(flatten)]
    pub(crate) listen: ListenArg,

    /// Portable component to serve instead of the embedded one; needs a build with the compiler
    #[arg(long, env, value_name = "FILE")]
    pub(crate) component: Option<PathBuf>,

    /// After start-up, deny access to files, exec, new sockets and executable memory
    #[arg(long, env, value_name = "MODE", value_enum, default_value_t = LockdownMode::On)]
    pub(crate) lockdown: LockdownMode,

    /// Threads that serve requests; by default one for each available CPU
    #[arg(long, env, value_name = "COUNT",
        value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) worker_threads: Option<u16>,

    /// The log and the admin port.
    #[command(flatten)]
    pub(crate) observability: ObservabilityArgs,

    /// The limits.
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
}

/// `--listen`.
#[derive(Args, Debug)]
pub(crate) struct ListenArg {
    /// Address and port to listen on; by default [::] and the port $PORT, or 5000
    #[arg(long, env = "LISTEN", value_name = "ADDRESS:PORT", value_parser = parse_address)]
    listen: Option<SocketAddr>,
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

/// The log and the admin port.
#[derive(Args, Debug)]
#[command(next_help_heading = "Observability")]
pub(crate) struct ObservabilityArgs {
    /// Address and port of /metrics, /livez, /readyz and /buildinfo, or off
    #[arg(long, env, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9090",
        value_parser = parse_admin)]
    pub(crate) admin: AdminAddress,

    /// Fraction of requests to log at level info, from 0 (none) to 1 (all)
    #[arg(long, env, value_name = "FRACTION", default_value = "0",
        value_parser = parse_millionths, allow_negative_numbers = true)]
    // In millionths.
    pub(crate) access_log: u32,

    /// Format of the log on standard error
    #[arg(long, env = LOG_FORMAT, value_name = "FORMAT", value_enum,
        default_value_t = LogFormat::Auto)]
    pub(crate) log_format: LogFormat,

    /// Minimum level to log: off, error, warn, info, debug or trace
    ///
    /// A list of targets is possible as well: `warn,status_host=debug`.
    #[arg(long, env = "RUST_LOG", value_name = "LEVEL", default_value = "info")]
    pub(crate) log_level: String,

    /// Google Cloud project of the traces, for links from the log
    #[arg(long, env, value_name = "PROJECT")]
    pub(crate) google_cloud_project: Option<String>,
}

/// `--admin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AdminAddress {
    /// No admin port.
    Off,
    /// Listen here.
    At(SocketAddr),
}

/// The variable that stands for `--log-format`. Before the options are parsed, only the variable counts.
const LOG_FORMAT: &str = "LOG_FORMAT";

/// `--log-format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Text on a terminal, else JSON
    Auto,
    /// One JSON object per event, with the field names of Google Cloud Logging
    Json,
    /// One line of text per event
    Text,
}

/// The limits on clients and on the component, each with its unit and range.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitArgs {
    /// Time limit for one component call, with the wait for an instance
    #[arg(long, env, value_name = "TIME", default_value = "1s", value_parser = parse_timeout)]
    pub(crate) request_timeout: Duration,

    /// Memory of one instance
    #[arg(long, env, value_name = "SIZE", default_value = "8MiB", value_parser = parse_memory)]
    pub(crate) max_memory: usize,

    /// Requests that may wait for an instance; further ones get 503
    #[arg(long, env, value_name = "COUNT", default_value_t = 1024,
        value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) max_concurrency: u32,

    /// Time limit for a client to send a body, and to receive a response
    #[arg(long, env, value_name = "TIME", default_value = "10s", value_parser = parse_timeout)]
    pub(crate) client_timeout: Duration,

    /// Time limit for a connection to send its next request head
    #[arg(long, env, value_name = "TIME", default_value = "75s", value_parser = parse_timeout)]
    pub(crate) idle_timeout: Duration,

    /// Size of a request body; larger ones get 413
    #[arg(long, env, value_name = "SIZE", default_value = "16KiB",
        value_parser = parse_body_size)]
    pub(crate) max_body: usize,

    /// Open connections; a further one replaces the one that is idle longest, or waits
    #[arg(long, env, value_name = "COUNT", default_value_t = 1024,
        value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) max_connections: u32,

    /// Time to keep accepting after the first signal, while /readyz returns 503
    ///
    /// Set it to the load balancer's detection time.
    #[arg(long, env, value_name = "TIME", default_value = "0s", value_parser = parse_delay)]
    pub(crate) drain_delay: Duration,

    /// Time limit for requests in flight after that
    #[arg(long, env, value_name = "TIME", default_value = "7s", value_parser = parse_timeout)]
    pub(crate) drain_timeout: Duration,
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
    let command = Cli::command().mut_args(with_variable);
    let command = command.mut_subcommands(|command| command.mut_args(with_variable));
    let matches = command.try_get_matches_from(args);
    matches
        .and_then(|matches| Cli::from_arg_matches(&matches))
        .map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ParseError::Help(error.to_string()),
            _ => ParseError::Invalid(one_line(&error.to_string())),
        })
}

/// An argument as help shows it, without the value of its variable. An empty variable is an unset one: shells and
/// docker compose export it so.
fn with_variable(arg: Arg) -> Arg {
    let value = arg.get_env().and_then(env::var_os);
    let arg = arg.hide_env_values(true);
    if value.is_some_and(|value| value.is_empty()) {
        arg.env(None)
    } else {
        arg
    }
}

/// A message of clap without its layout, usage and hints.
fn one_line(message: &str) -> String {
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let lines = message.lines().map(str::trim);
    let lines = lines.take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"));
    let lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    format!("{}; see --help", lines.join("; "))
}

/// Whether errors before the start of the log are log events in JSON.
#[must_use]
pub fn has_json_errors() -> bool {
    env::var_os(LOG_FORMAT).is_some_and(|format| format == "json")
}

impl ListenArg {
    /// The address of `--listen`, or the default one.
    pub(crate) fn address(&self) -> Result<SocketAddr, ParseError> {
        match self.listen {
            Some(address) => Ok(address),
            None => Ok(SocketAddr::new(DEFAULT_IP, default_port()?)),
        }
    }
}

/// The port that the platform assigns, as Cloud Run, Heroku and others do. It is no option: `--listen` sets the port
/// too.
fn default_port() -> Result<u16, ParseError> {
    // A shell exports an unset variable as an empty one.
    let Some(port) = env::var_os("PORT").filter(|port| !port.is_empty()) else {
        return Ok(DEFAULT_PORT);
    };
    let port = port.to_string_lossy();
    port.parse().map_err(|_| {
        ParseError::Invalid(format!(
            "invalid port `{port}` in the variable PORT; set it to a number from 0 to 65535, or set --listen or LISTEN"
        ))
    })
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "not an IP address and a port, such as 0.0.0.0:5000 or [::]:5000".to_owned())
}

fn parse_admin(text: &str) -> Result<AdminAddress, String> {
    if text == "off" {
        return Ok(AdminAddress::Off);
    }
    let address = text.parse().map(AdminAddress::At);
    address.map_err(|_| "neither off nor an IP address and a port, such as 127.0.0.1:9090 or [::]:9090".to_owned())
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

fn parse_timeout(text: &str) -> Result<Duration, String> {
    let time = parse_delay(text)?;
    if time < Duration::from_millis(1) {
        return Err("not between 1ms and 1day".to_owned());
    }
    Ok(time)
}

fn parse_delay(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|_| "not a time such as 500ms, 10s or 2m".to_owned())?;
    if time > MAX_TIME {
        return Err("longer than 1day".to_owned());
    }
    Ok(time)
}

fn parse_memory(text: &str) -> Result<usize, String> {
    parse_size(text, WASM_PAGE, MAX_MEMORY as u64)
}

fn parse_body_size(text: &str) -> Result<usize, String> {
    parse_size(text, 0, MAX_BODY)
}

fn parse_size(text: &str, min: u64, max: u64) -> Result<usize, String> {
    let size: ByteSize = text
        .parse()
        .map_err(|_| "not a size such as 65536, 64KiB or 8MiB".to_owned())?;
    let out_of_range = || format!("not between {} and {}", ByteSize(min), ByteSize(max));
    let in_range = (min..=max).contains(&size.0);
    usize::try_from(size.0)
        .ok()
        .filter(|_| in_range)
        .ok_or_else(out_of_range)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::collections::BTreeSet;
    use std::ffi::OsStr;
    use std::fs;

    use super::*;

    /// Option, variable and default of an argument; `None` for `--help` and `--version`.
    fn option(arg: &Arg) -> Option<[String; 3]> {
        let text = |value: &OsStr| value.to_str().unwrap().to_owned();
        let default = arg.get_default_values().first().map(|value| text(value));
        Some([
            format!("--{}", arg.get_long()?),
            text(arg.get_env()?),
            default.unwrap_or_default(),
        ])
    }

    #[test]
    fn docs_list_every_option_with_its_variable_and_default() {
        let docs = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md")).unwrap();
        let rows = docs
            .lines()
            .filter(|line| line.starts_with("| `--") && line.matches(" |").count() >= 4);
        let documented = rows.map(|row| {
            let mut cells = row
                .trim_matches('|')
                .split(" |")
                .map(|cell| cell.replace('`', "").trim().to_owned());
            [(); 3].map(|()| cells.next().unwrap())
        });
        let cli = Cli::command();
        let commands = [&cli].into_iter().chain(cli.get_subcommands());
        let defined = commands.flat_map(clap::Command::get_arguments).filter_map(option);
        assert_eq!(documented.collect::<BTreeSet<_>>(), defined.collect());
    }

    fn parse_option(option: &str) -> Result<ServeArgs, String> {
        let cli = parse(["status-host", option].map(OsString::from));
        cli.map(|cli| cli.serve).map_err(|error| error.to_string())
    }

    #[test]
    fn value_out_of_range_is_refused_with_the_range() {
        for (option, values, range) in [
            ("--request-timeout", "0s,1us", "not between 1ms and 1day"),
            ("--client-timeout", "1y", "longer than 1day"),
            ("--idle-timeout", "2days", "longer than 1day"),
            ("--drain-delay", "25h", "longer than 1day"),
            ("--drain-timeout", "1w", "longer than 1day"),
            (
                "--max-memory",
                "65535,16777217,1TiB",
                "not between 64.0 KiB and 16.0 MiB",
            ),
            ("--max-body", "1GiB,1048577", "not between 0 B and 1.0 MiB"),
            ("--worker-threads", "0,257", "not in 1..=256"),
            ("--max-concurrency", "0,4097", "not in 1..=4096"),
            ("--max-connections", "0,65537", "not in 1..=65536"),
            ("--access-log", "-0.1,1.1,NaN,all,10%,", "not between 0 and 1"),
            ("--request-timeout", "1,-1s,x", "not a time such as"),
            ("--max-memory", "x,-1", "not a size such as"),
            (
                "--listen",
                ":5000,localhost:5000,0.0.0.0,0.0.0.0:65536,",
                "not an IP address and a port",
            ),
            (
                "--admin",
                "9090,on,localhost:9090,127.0.0.1,",
                "neither off nor an IP address and a port",
            ),
            ("--log-format", "xml,", "auto, json, text"),
            ("--lockdown", "maybe,", "off, on, require, kill"),
        ] {
            for value in values.split(',') {
                let error = parse_option(&format!("{option}={value}")).unwrap_err();
                assert!(
                    error.contains(option) && error.contains(range),
                    "{option}={value}: {error}"
                );
                assert!(error.ends_with("see --help") && !error.contains('\n'), "{error}");
            }
        }
    }

    #[test]
    fn value_at_either_end_of_the_range_is_accepted() {
        for option in [
            "--request-timeout=1ms",
            "--request-timeout=1day",
            "--drain-delay=0s",
            "--drain-delay=1day",
            "--max-memory=64KiB",
            "--max-memory=16MiB",
            "--max-body=0",
            "--max-body=1MiB",
            "--worker-threads=1",
            "--worker-threads=256",
            "--max-concurrency=1",
            "--max-concurrency=4096",
            "--max-connections=1",
            "--max-connections=65536",
            "--access-log=0",
            "--access-log=1",
        ] {
            assert!(parse_option(option).is_ok(), "{option}");
        }
    }

    #[test]
    fn default_drain_ends_before_an_orchestrator_kills_the_process() {
        // `docker stop` waits for 10 s. The start of the drain and the end of the process need some time too.
        const LIMIT: Duration = Duration::from_secs(8);
        let limits = parse_option("--listen=127.0.0.1:0").unwrap().limits;
        assert!(limits.drain_delay + limits.drain_timeout < LIMIT);
    }
}
