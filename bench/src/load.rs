//! Load from public tools: wrk asks as fast as answers come (a closed loop), oha at a rate (an open loop, with the
//! latency counted from when a request was due, which corrects for coordinated omission).

use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// How load is put on a server.
pub(crate) struct Load<'a> {
    pub(crate) oha: &'a Path,
    pub(crate) seconds: u32,
}

/// What a closed loop came to.
pub(crate) struct Throughput {
    /// Answers per second.
    pub(crate) rate: f64,
    /// Answers.
    pub(crate) answers: f64,
}

/// What an open loop came to, in milliseconds.
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
}

impl Load<'_> {
    /// Asks over `connections` as fast as answers come.
    pub(crate) fn saturate(&self, address: SocketAddr, connections: u32) -> Result<Throughput, Box<dyn Error>> {
        let text = output(Command::new("wrk").args([
            "--threads=1",
            &format!("--connections={connections}"),
            &format!("--duration={}s", self.seconds),
            "--timeout=10s",
            &format!("http://{address}/status"),
        ]))?;
        if text.contains("Non-2xx") || text.contains("Socket errors") {
            return Err(format!("wrk had other answers than 200, or none: {text}").into());
        }
        let before = |mark: &str| text.split_once(mark)?.0.split_whitespace().next_back()?.parse().ok();
        let after = |mark: &str| text.split_once(mark)?.1.split_whitespace().next()?.parse().ok();
        match (after("Requests/sec:"), before(" requests in")) {
            (Some(rate), Some(answers)) if answers > 0.0 => Ok(Throughput { rate, answers }),
            _ => Err(format!("wrk had no answer: {text}").into()),
        }
    }

    /// Asks `rate` times a second over 32 connections.
    pub(crate) fn pace(&self, address: SocketAddr, rate: f64) -> Result<Latency, Box<dyn Error>> {
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
        let told: Value = serde_json::from_str(&text)?;
        let codes = told.get("statusCodeDistribution").and_then(Value::as_object);
        if codes.is_none_or(|codes| codes.keys().any(|code| code != "200")) {
            return Err(format!("oha had other answers than 200, or none: {text}").into());
        }
        let milliseconds = |name: &str| {
            let seconds = told
                .pointer(&format!("/latencyPercentiles/{name}"))
                .and_then(Value::as_f64);
            seconds
                .map(|seconds| seconds * 1000.0)
                .ok_or_else(|| format!("oha told no {name}"))
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
