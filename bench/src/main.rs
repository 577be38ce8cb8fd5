//! Measures `status-host` beside its peers: a native server with the same handler, and `wasmtime serve`.
//!
//! Servers take turns on one core, and what asks them has another. All are measured in each round, so that the ratios of
//! a round hold where the speed of the machine drifts; what is told are medians over the rounds.
//!
//! | file | what it holds |
//! |---|---|
//! | `peers` | the servers, and how each is started |
//! | `server` | one that runs: its core, its end, what the kernel accounts to it |
//! | `client` | a request of our own, and connections that idle |
//! | `load` | the load generators: wrk, and oha for latencies |
//! | `round` | what is measured of one server in one round |
//! | `report` | medians and ratios, as a table and as JSON |
//! | `chart` | the same as a picture |
//! | `bin/native` | the native server |

mod chart;
mod client;
mod load;
mod peers;
mod report;
mod round;
mod server;

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Measures status-host beside a native server and `wasmtime serve`; see docs/performance.md.
#[derive(Parser)]
struct Options {
    /// The status-host that is measured
    #[arg(long)]
    status_host: PathBuf,
    /// The native server
    #[arg(long)]
    native: PathBuf,
    /// `wasmtime`, of the version that status-host has
    #[arg(long)]
    wasmtime: PathBuf,
    /// The portable component
    #[arg(long)]
    component: PathBuf,
    /// `oha`
    #[arg(long)]
    oha: PathBuf,
    /// Where the results go
    #[arg(long)]
    output: PathBuf,
    /// How often everything is measured
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How long each load lasts, in seconds
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    server::take_core(server::LOAD)?;
    fs::create_dir_all(&options.output)?;
    let peers = peers::peers(options)?;
    let load = load::Load {
        oha: &options.oha,
        seconds: options.seconds,
    };
    let mut rounds = Vec::new();
    for number in 1..=options.rounds {
        let mut round = Vec::new();
        for peer in &peers {
            writeln!(io::stderr(), "round {number} of {}: {}", options.rounds, peer.name)?;
            round.push(round::measure(peer, &load).map_err(|error| format!("{}: {error}", peer.name))?);
        }
        rounds.push(round);
    }
    let report = report::Report::new(&peers, &rounds)?;
    io::stdout().write_all(report.table().as_bytes())?;
    fs::write(options.output.join("results.json"), serde_json::to_vec_pretty(&report)?)?;
    fs::write(options.output.join("throughput.svg"), chart::throughput(&report)?)?;
    Ok(())
}
