//! Compares `status-host` with its peers: a native server with the same handler, and `wasmtime serve`.
//!
//! The servers run one after another on one core, the load generator on another. Every round measures all servers, so
//! that a drift of the machine's speed affects all of them. The report contains medians over the rounds.

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

/// Compare status-host with a native server and `wasmtime serve`; see docs/performance.md.
#[derive(Parser)]
struct Options {
    /// The status-host binary
    #[arg(long)]
    status_host: PathBuf,
    /// The native server binary
    #[arg(long)]
    native: PathBuf,
    /// The wasmtime binary, of the version that status-host embeds
    #[arg(long)]
    wasmtime: PathBuf,
    /// The portable component
    #[arg(long)]
    component: PathBuf,
    /// The oha binary
    #[arg(long)]
    oha: PathBuf,
    /// Folder for the results
    #[arg(long)]
    output: PathBuf,
    /// Number of rounds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Duration of each load, in seconds
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
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    server::pin_to_core(server::LOAD_CORE)?;
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
