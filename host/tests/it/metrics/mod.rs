//! Each metric counts what its HELP text says.

mod events;
mod process;
mod requests;

use std::net::TcpStream;

use crate::support::{TestServer, get_keep_alive};

#[test]
fn connections_are_counted() {
    let server = TestServer::with_options("--max-connections 3");
    let metrics = server.metrics();
    assert_eq!(metrics.count("status_host_connections_limit"), 3);
    assert_eq!(metrics.count("status_host_connections_open"), 0);
    let admitted: Vec<TcpStream> = (0..3).map(|_| server.connect()).collect();
    server.wait_for_metric("status_host_connections_open", 3);
    // 256 get a response, the others are closed.
    let mut overload: Vec<TcpStream> = (0..300).map(|_| server.connect()).collect();
    let refused = |reason| format!("status_host_connections_refused_total{{reason=\"{reason}\"}}");
    let metrics = server.wait_for_metric(&refused("flood"), 300 - 256);
    assert_eq!(metrics.count(&refused("limit")), 256);
    assert_eq!(metrics.count("status_host_connections_open"), 3);
    assert_eq!(metrics.count("status_host_connections_accepted_total"), 3 + 300);
    assert_eq!(get_keep_alive(&mut overload[0], "/status").status, 503);
    let requests = "status_host_http_requests_total{method=\"GET\",route=\"/status\",status=\"503\"}";
    server.wait_for_metric(requests, 1);
    drop((admitted, overload));
    server.wait_for_metric("status_host_connections_open", 0);
}
