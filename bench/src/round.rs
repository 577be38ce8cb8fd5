//! The measurements of one server in one round.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;

use crate::client;
use crate::load::Load;
use crate::peers::Peer;
use crate::server::Server;

/// Number of starts for the cold-start time.
const STARTS: usize = 11;

/// Number of connections when there are many.
const MANY_CONNECTIONS: u32 = 10_000;

/// The highest rate, in requests per second, at which oha keeps its schedule on one core.
const MAX_RATE: f64 = 30_000.0;

/// Values by row key of the report.
pub(crate) type Measures = BTreeMap<&'static str, f64>;

/// Measures `peer` once.
pub(crate) fn measure(peer: &Peer, load: &Load) -> Result<Measures, Box<dyn Error>> {
    let mut measures = Measures::new();
    measures.insert("executable_bytes", peer.size);
    measures.insert("cold_start_ms", cold_start(peer)?);
    saturated(peer, load, &mut measures)?;
    crowded(peer, load, &mut measures)?;
    Ok(measures)
}

/// Median time from process start to the first response, in milliseconds.
fn cold_start(peer: &Peer) -> io::Result<f64> {
    let starts: io::Result<Vec<_>> = (0..STARTS)
        .map(|_| Ok(Server::start(peer)?.started_in.as_secs_f64() * 1e3))
        .collect();
    Ok(median(starts?))
}

/// Throughput over few connections, then latency at half of that rate or at `MAX_RATE`.
fn saturated(peer: &Peer, load: &Load, measures: &mut Measures) -> Result<(), Box<dyn Error>> {
    let server = Server::start(peer)?;
    measures.insert("resident_idle_bytes", server.resident()?);
    measures.insert("requests_per_second_1", load.saturate(peer.address, 1)?.rate);
    let before = server.cpu_time()?;
    let saturated = load.saturate(peer.address, 32)?;
    let time = server.cpu_time()? - before;
    measures.insert("requests_per_second_32", saturated.rate);
    measures.insert("user_us_per_request", time.user * 1e6 / saturated.responses);
    measures.insert("system_us_per_request", time.system * 1e6 / saturated.responses);
    measures.insert("resident_bytes_32", server.resident()?);
    measures.insert("requests_per_second_256", load.saturate(peer.address, 256)?.rate);
    measures.insert("resident_bytes_256", server.resident()?);
    let latency = load.send_at_rate(peer.address, MAX_RATE.min(saturated.rate / 2.0))?;
    measures.insert("p50_ms", latency.p50);
    measures.insert("p99_ms", latency.p99);
    measures.insert("p999_ms", latency.p999);
    Ok(())
}

/// Memory of many idle connections, then CPU time of requests over as many.
fn crowded(peer: &Peer, load: &Load, measures: &mut Measures) -> Result<(), Box<dyn Error>> {
    let server = Server::start(peer)?;
    let before = server.resident()?;
    let idle = client::idle_connections(peer.address, MANY_CONNECTIONS)?;
    measures.insert(
        "bytes_per_idle_connection",
        (server.resident()? - before) / f64::from(MANY_CONNECTIONS),
    );
    drop(idle);
    let before = server.cpu_time()?;
    let crowded = load.saturate(peer.address, MANY_CONNECTIONS)?;
    let time = server.cpu_time()? - before;
    measures.insert(
        "cpu_us_per_request_10000",
        (time.user + time.system) * 1e6 / crowded.responses,
    );
    Ok(())
}

/// The median of `values`, or NaN if there are none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    f64::midpoint(middle(values.len().saturating_sub(1) / 2), middle(values.len() / 2))
}
