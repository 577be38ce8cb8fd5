//! Medians over the rounds, and ratios to the first of the servers, taken in each round by itself.

use std::fmt::Write;

use serde::Serialize;

use crate::peers::Peer;
use crate::round::{Measures, median};

/// The rows of the table: key and label.
const ROWS: [(&str, &str); 15] = [
    ("requests_per_second_1", "requests/s, 1 connection"),
    (THROUGHPUT, "requests/s, 32 connections"),
    ("requests_per_second_256", "requests/s, 256 connections"),
    ("p50_ms", "p50 at half of saturation, at most 30,000/s, ms"),
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

/// The row that the picture is of.
const THROUGHPUT: &str = "requests_per_second_32";

/// All that was measured.
#[derive(Serialize)]
pub(crate) struct Report {
    rounds: usize,
    servers: Vec<Entry>,
}

/// One server.
#[derive(Serialize)]
struct Entry {
    name: &'static str,
    median: Measures,
    /// To the first server.
    ratio: Measures,
    samples: Vec<Measures>,
}

impl Report {
    /// Of `rounds`, each of which holds the measures of `peers` in their order.
    pub(crate) fn new(peers: &[Peer], rounds: &[Vec<Measures>]) -> Self {
        let entry = |(index, peer): (usize, &Peer)| {
            let of = |round: &Vec<Measures>, index: usize, key: &str| Some(*round.get(index)?.get(key)?);
            let medians = |value: &dyn Fn(&Vec<Measures>, &str) -> Option<f64>| -> Measures {
                let row = |(key, _)| {
                    (
                        key,
                        median(rounds.iter().filter_map(|round| value(round, key)).collect()),
                    )
                };
                ROWS.map(row).into()
            };
            Entry {
                name: peer.name,
                median: medians(&|round, key| of(round, index, key)),
                ratio: medians(&|round, key| Some(of(round, index, key)? / of(round, 0, key)?)),
                samples: rounds.iter().filter_map(|round| round.get(index).cloned()).collect(),
            }
        };
        Self {
            rounds: rounds.len(),
            servers: peers.iter().enumerate().map(entry).collect(),
        }
    }

    /// Names and requests per second over 32 connections, in the order of the servers.
    pub(crate) fn throughput(&self) -> Vec<(&'static str, f64)> {
        let servers = self.servers.iter();
        servers
            .map(|server| (server.name, value(&server.median, THROUGHPUT)))
            .collect()
    }

    /// The medians as a table in Markdown, with the ratios in parentheses.
    pub(crate) fn table(&self) -> String {
        let mut table = format!("medians of {} rounds (ratio to the first)\n\n|", self.rounds);
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

fn value(measures: &Measures, key: &str) -> f64 {
    measures.get(key).copied().unwrap_or(f64::NAN)
}

/// Three digits or more, and none after the point where there are that many before it.
fn figure(value: f64) -> String {
    match value {
        ..10.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
