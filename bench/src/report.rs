//! Medians over the rounds, and their ratios to the first server.

use std::fmt::Write;
use std::{fs, io};

use serde::Serialize;

use crate::peers::Peer;
use crate::round::{Measures, median};

/// The rows of the table: key and label.
const ROWS: [(&str, &str); 15] = [
    ("requests_per_second_1", "requests/s, 1 connection"),
    (THROUGHPUT, "requests/s, 32 connections"),
    ("requests_per_second_256", "requests/s, 256 connections"),
    ("p50_ms", "p50 at half of the maximum throughput, at most 30,000/s, ms"),
    ("p99_ms", "p99, ms"),
    ("p999_ms", "p99.9, ms"),
    ("user_us_per_request", "user CPU per request, us"),
    ("system_us_per_request", "system CPU per request, us"),
    ("cpu_us_per_request_10000", "CPU per request, 10,000 connections, us"),
    ("cold_start_ms", "cold start, ms"),
    ("resident_idle_bytes", "resident memory at start, bytes"),
    ("resident_bytes_32", "resident memory after 32 connections, bytes"),
    ("resident_bytes_256", "resident memory after 256 connections, bytes"),
    ("bytes_per_idle_connection", "memory per idle connection, bytes"),
    ("executable_bytes", "executable, bytes"),
];

/// The row that the chart shows.
const THROUGHPUT: &str = "requests_per_second_32";

/// The results.
#[derive(Serialize)]
pub(crate) struct Report {
    processor: String,
    rounds: usize,
    servers: Vec<ServerResult>,
}

/// The results of one server.
#[derive(Serialize)]
struct ServerResult {
    name: &'static str,
    median: Measures,
    /// Of the medians, to the first server.
    ratio: Measures,
    samples: Vec<Measures>,
}

impl Report {
    /// Evaluates `rounds`, each of which holds the measurements of `peers` in their order.
    pub(crate) fn new(peers: &[Peer], rounds: &[Vec<Measures>]) -> io::Result<Self> {
        let mut servers: Vec<ServerResult> = Vec::new();
        for (index, peer) in peers.iter().enumerate() {
            let samples: Vec<_> = rounds.iter().filter_map(|round| round.get(index).cloned()).collect();
            let median = medians(&samples);
            let baseline = servers.first().map_or(&median, |first| &first.median);
            let ratio = ROWS.map(|(key, _)| (key, value(&median, key) / value(baseline, key)));
            servers.push(ServerResult {
                name: peer.name,
                ratio: ratio.into(),
                median,
                samples,
            });
        }
        Ok(Self {
            processor: processor()?,
            rounds: rounds.len(),
            servers,
        })
    }

    /// Returns names and requests per second over 32 connections.
    pub(crate) fn throughput(&self) -> Vec<(&'static str, f64)> {
        let servers = self.servers.iter();
        servers
            .map(|server| (server.name, value(&server.median, THROUGHPUT)))
            .collect()
    }

    /// Formats the medians as a Markdown table, with the ratios in parentheses.
    pub(crate) fn table(&self) -> String {
        let baseline = self.servers.first().map_or("", |first| first.name);
        let mut table = format!(
            "{}, medians of {} rounds (ratio of the medians to {baseline})\n\n|",
            self.processor, self.rounds
        );
        for server in &self.servers {
            let _ = write!(table, " | {}", server.name);
        }
        let _ = writeln!(table, " |\n|---{}|", "|---:".repeat(self.servers.len()));
        for (key, label) in ROWS {
            let _ = write!(table, "| {label}");
            for server in &self.servers {
                let (median, ratio) = (value(&server.median, key), value(&server.ratio, key));
                let _ = write!(table, " | {} ({ratio:.2})", figure(median));
            }
            let _ = writeln!(table, " |");
        }
        table
    }
}

fn medians(samples: &[Measures]) -> Measures {
    let values = |key| samples.iter().filter_map(|sample| sample.get(key).copied()).collect();
    ROWS.map(|(key, _)| (key, median(values(key)))).into()
}

/// The model name of the processor, which the kernel does not list on every architecture.
fn processor() -> io::Result<String> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
    let name = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    Ok(name.map_or("unknown processor", |(_, name)| name).to_owned())
}

fn value(measures: &Measures, key: &str) -> f64 {
    measures.get(key).copied().unwrap_or(f64::NAN)
}

/// Formats `value` with three digits, or without decimals from 100 on.
fn figure(value: f64) -> String {
    match value {
        ..10.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
