//! Load generators: wrk sends the next request after each response (closed loop), oha sends at a fixed rate (open loop)
//! and measures latency from the scheduled time, which corrects for coordinated omission.

use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The settings of the load generators.
pub(crate) struct Load<'a> {
    pub(crate) oha: &'a Path,
    pub(crate) seconds: u32,
}

/// The result of a closed loop.
pub(crate) struct Throughput {
    /// Responses per second.
    pub(crate) rate: f64,
    /// Number of responses.
    pub(crate) responses: f64,
}

/// The result of an open loop, in milliseconds.
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
}

impl Load<'_> {
    /// Sends requests over `connections` as fast as responses arrive.
    pub(crate) fn saturate(&self, address: SocketAddr, connections: u32) -> Result<Throughput, Box<dyn Error>> {
        let text = output(Command::new("wrk").args([
            "--threads=1",
            &format!("--connections={connections}"),
            &format!("--duration={}s", self.seconds),
            "--timeout=10s",
            &format!("http://{address}/status"),
        ]))?;
        if text.contains("Non-2xx") || text.contains("Socket errors") {
            return Err(format!("wrk reports failed requests: {text}").into());
        }
        let before = |mark: &str| text.split_once(mark)?.0.split_whitespace().next_back()?.parse().ok();
        let after = |mark: &str| text.split_once(mark)?.1.split_whitespace().next()?.parse().ok();
        match (after("Requests/sec:"), before(" requests in")) {
            (Some(rate), Some(responses)) if responses > 0.0 => Ok(Throughput { rate, responses }),
            _ => Err(format!("wrk reports no responses: {text}").into()),
        }
    }

    /// Sends `rate` requests per second over 32 connections.
    pub(crate) fn send_at_rate(&self, address: SocketAddr, rate: f64) -> Result<Latency, Box<dyn Error>> {
        let text = output(Command::new(self.oha).args([
            "--no-tui",
            "--output-format=json",
            "--latency-correction",
            "--disable-compression",
            "-c32",
            &format!("-q{rate:.0}"),
            &format!("-z{}s", self.seconds),
            &format!("http://{address}/status"),
        ]))?;
        let report: Value = serde_json::from_str(&text)?;
        let codes = report.get("statusCodeDistribution").and_then(Value::as_object);
        if codes.is_none_or(|codes| codes.keys().any(|code| code != "200")) {
            return Err(format!("oha reports failed requests: {text}").into());
        }
        let milliseconds = |name: &str| {
            let seconds = report
                .pointer(&format!("/latencyPercentiles/{name}"))
                .and_then(Value::as_f64);
            seconds
                .map(|seconds| seconds * 1000.0)
                .ok_or_else(|| format!("oha reports no {name}"))
        };
        Ok(Latency {
            p50: milliseconds("p50")?,
            p99: milliseconds("p99")?,
            p999: milliseconds("p99.9")?,
        })
    }
}

fn output(command: &mut Command) -> Result<String, Box<dyn Error>> {
    let program = command.get_program().to_owned();
    let output = command
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    if !output.status.success() {
        return Err(format!("{}: {}", program.display(), String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
