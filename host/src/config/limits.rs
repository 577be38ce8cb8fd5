//! The options that bound what clients and guests may take, each with its unit and its range.

use std::time::Duration;

use bytesize::ByteSize;
use clap::Args;

use crate::sandbox::{self, MEMORY_RESERVATION};

/// The longest time that an option takes.
const DAY: Duration = Duration::from_hours(24);

/// One page of WebAssembly memory.
const PAGE: u64 = 64 * 1024;

/// The largest body that an option lets a client send.
const BODY: u64 = 64 * 1024 * 1024;

/// The limits.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Limits")]
pub struct Limits {
    /// How long the component may take for a request
    #[arg(long, env, hide_env_values = true, value_name = "TIME", default_value = "1s", value_parser = time)]
    pub request_timeout: Duration,

    /// Memory of one instance of the component
    #[arg(long, env, hide_env_values = true, value_name = "SIZE", default_value = "8MiB", value_parser = memory)]
    pub max_memory: usize,

    /// Instances of the component at once; above it a request is refused with 503
    #[arg(long, env, hide_env_values = true, value_name = "COUNT", default_value_t = 64,
        value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub max_concurrency: u32,

    /// How long a client may take to send the head of a request, to send its body, and to take an answer
    #[arg(long, env, hide_env_values = true, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub client_timeout: Duration,

    /// How long a connection may wait for its next request
    #[arg(long, env, hide_env_values = true, value_name = "TIME", default_value = "75s", value_parser = time)]
    pub idle_timeout: Duration,

    /// Body of one request; above it a request is refused with 413
    #[arg(long, env, hide_env_values = true, value_name = "SIZE", default_value = "16KiB", value_parser = body)]
    pub max_body: usize,

    /// Connections at once; above it a connection is refused with 503
    #[arg(long, env, hide_env_values = true, value_name = "COUNT", default_value_t = 16_384,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_connections: u32,

    /// How long connections are still accepted after the first signal, while /readyz says no: what balances the load
    /// needs a moment to notice
    #[arg(long, env, hide_env_values = true, value_name = "TIME", default_value = "0s", value_parser = delay)]
    pub drain_delay: Duration,

    /// How long requests in flight may take to end after that
    #[arg(long, env, hide_env_values = true, value_name = "TIME", default_value = "25s", value_parser = time)]
    pub drain_timeout: Duration,
}

impl Limits {
    /// Those that an instance of the component is held to.
    #[must_use]
    pub fn sandbox(&self) -> sandbox::Limits {
        sandbox::Limits {
            timeout: self.request_timeout,
            memory: self.max_memory,
        }
    }
}

fn time(text: &str) -> Result<Duration, String> {
    let time = parse(text)?;
    if time < Duration::from_millis(1) || time > DAY {
        return Err("not between 1ms and 1day".to_owned());
    }
    Ok(time)
}

fn delay(text: &str) -> Result<Duration, String> {
    let time = parse(text)?;
    if time > DAY {
        return Err("not between 0s and 1day".to_owned());
    }
    Ok(time)
}

fn parse(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "not a time such as 500ms, 10s or 2m".to_owned())
}

fn memory(text: &str) -> Result<usize, String> {
    size(text, PAGE, MEMORY_RESERVATION as u64)
}

fn body(text: &str) -> Result<usize, String> {
    size(text, 0, BODY)
}

fn size(text: &str, least: u64, most: u64) -> Result<usize, String> {
    let size: ByteSize = text
        .parse()
        .map_err(|_| "not a size such as 65536, 64KiB or 8MiB".to_owned())?;
    let range = || format!("not between {} and {}", ByteSize(least), ByteSize(most));
    let within = (least..=most).contains(&size.0);
    usize::try_from(size.0).ok().filter(|_| within).ok_or_else(range)
}
