//! What is measured of one server in one round.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;

use crate::client;
use crate::load::Load;
use crate::peers::Peer;
use crate::server::Server;

/// How often a server is started for the time that a start takes.
const STARTS: usize = 11;

/// Connections that idle, or ask, where there are many.
const MANY: u32 = 10_000;

/// Requests per second that oha, on one core, sends without being late itself.
const PACE: f64 = 30_000.0;

/// Values by the key of their row in the report.
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

/// Milliseconds from the start of the process to its first answer, in the middle of several starts.
fn cold_start(peer: &Peer) -> io::Result<f64> {
    let starts: io::Result<Vec<_>> = (0..STARTS)
        .map(|_| Ok(Server::start(peer)?.started_in.as_secs_f64() * 1e3))
        .collect();
    Ok(median(starts?))
}

/// A few connections that ask as fast as they can, and then at half of that rate, as far as that can be sent.
fn saturated(peer: &Peer, load: &Load, measures: &mut Measures) -> Result<(), Box<dyn Error>> {
    let server = Server::start(peer)?;
    measures.insert("resident_idle_bytes", server.resident()?);
    measures.insert("requests_per_second_1", load.saturate(peer.address, 1)?.rate);
    let before = server.cpu_time()?;
    let saturated = load.saturate(peer.address, 32)?;
    let time = server.cpu_time()? - before;
    measures.insert("requests_per_second_32", saturated.rate);
    measures.insert("user_us_per_request", time.user * 1e6 / saturated.answers);
    measures.insert("system_us_per_request", time.system * 1e6 / saturated.answers);
    measures.insert("resident_bytes_32", server.resident()?);
    measures.insert("requests_per_second_256", load.saturate(peer.address, 256)?.rate);
    measures.insert("resident_bytes_256", server.resident()?);
    let latency = load.pace(peer.address, PACE.min(saturated.rate / 2.0))?;
    measures.insert("p50_ms", latency.p50);
    measures.insert("p99_ms", latency.p99);
    measures.insert("p999_ms", latency.p999);
    Ok(())
}

/// Many connections: first they idle, then they ask.
fn crowded(peer: &Peer, load: &Load, measures: &mut Measures) -> Result<(), Box<dyn Error>> {
    let server = Server::start(peer)?;
    let before = server.resident()?;
    let idle = client::idle(peer.address, MANY)?;
    measures.insert(
        "bytes_per_idle_connection",
        (server.resident()? - before) / f64::from(MANY),
    );
    drop(idle);
    let before = server.cpu_time()?;
    let crowded = load.saturate(peer.address, MANY)?;
    let time = server.cpu_time()? - before;
    measures.insert(
        "cpu_us_per_request_10000",
        (time.user + time.system) * 1e6 / crowded.answers,
    );
    Ok(())
}

/// The middle one of `values`, or the mean of the two in the middle; not a number where there are none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    f64::midpoint(middle(values.len().saturating_sub(1) / 2), middle(values.len() / 2))
}
