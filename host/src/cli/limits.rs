//! The limits on clients and on the component, each with its unit and range.

use std::time::Duration;

use bytesize::ByteSize;
use clap::Args;

/// Bytes of one page of linear memory (WebAssembly 2.0, section 4.2.8).
const WASM_PAGE: u64 = 64 * 1024;

/// Upper bound of `--max-memory`, in bytes: the address space that is reserved for each instance.
pub const MAX_MEMORY: usize = 16 * 1024 * 1024;

/// Upper bound of `--max-body`, in bytes.
const MAX_BODY: u64 = 64 * 1024 * 1024;

const MAX_TIMEOUT: Duration = Duration::from_hours(24);

/// The limits.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Limits")]
pub struct Limits {
    /// Time limit for one component call
    #[arg(long, env, hide_env_values = true, value_name = "TIME", default_value = "1s", value_parser = parse_timeout)]
    pub request_timeout: Duration,

    /// Memory of one instance, and of what the host holds for it
    #[arg(long, env, hide_env_values = true, value_name = "SIZE", default_value = "8MiB", value_parser = parse_memory)]
    pub max_memory: usize,

    /// Concurrent instances; further requests get 503
    #[arg(long, env, hide_env_values = true, value_name = "COUNT", default_value_t = 64,
        value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub max_concurrency: u32,

    /// Time limit for a client to send headers, to send a body, and to receive a response
    #[arg(long, env, hide_env_values = true, value_name = "TIME", default_value = "10s", value_parser = parse_timeout)]
    pub client_timeout: Duration,

    /// Time limit for a keep-alive connection to send its next request
    #[arg(long, env, hide_env_values = true, value_name = "TIME", default_value = "75s", value_parser = parse_timeout)]
    pub idle_timeout: Duration,

    /// Size of a request body; larger ones get 413
    #[arg(long, env, hide_env_values = true, value_name = "SIZE", default_value = "16KiB",
        value_parser = parse_body_size)]
    pub max_body: usize,

    /// Open connections; further ones get 503; by default as many as fit
    #[arg(long, env, hide_env_values = true, value_name = "COUNT",
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_connections: Option<u32>,

    /// Time to keep accepting after the first signal, while /readyz returns 503
    ///
    /// Set it to the load balancer's detection time.
    #[arg(long, env, hide_env_values = true, value_name = "TIME", default_value = "0s", value_parser = parse_delay)]
    pub drain_delay: Duration,

    /// Time limit for requests in flight after that
    #[arg(long, env, hide_env_values = true, value_name = "TIME", default_value = "25s", value_parser = parse_timeout)]
    pub drain_timeout: Duration,
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    let time = parse_time(text)?;
    if time < Duration::from_millis(1) || time > MAX_TIMEOUT {
        return Err("not between 1ms and 1day".to_owned());
    }
    Ok(time)
}

fn parse_delay(text: &str) -> Result<Duration, String> {
    let time = parse_time(text)?;
    if time > MAX_TIMEOUT {
        return Err("not between 0s and 1day".to_owned());
    }
    Ok(time)
}

fn parse_time(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "not a time such as 500ms, 10s or 2m".to_owned())
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
