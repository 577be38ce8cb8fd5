//! Clients that hold idle connections lock nobody out.

use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::support::{TestServer, eventually, get_keep_alive, read_to_close, try_get_keep_alive, wait_until};

/// Longer than a connection has to be idle before it is closed for another.
const IDLE: Duration = Duration::from_millis(300);

const CONNECTIONS: usize = 8;

fn full_server() -> (TestServer, Vec<TcpStream>) {
    let server = TestServer::with_options(&format!("--max-connections {CONNECTIONS}"));
    let connections = (0..CONNECTIONS).map(|_| {
        let mut stream = server.connect();
        get_keep_alive(&mut stream, "/status");
        stream
    });
    let connections = connections.collect();
    (server, connections)
}

fn is_closed(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    matches!(stream.peek(&mut [0]), Ok(0))
}

#[test]
fn connection_that_is_idle_longest_is_closed_for_a_new_one() {
    // On a busy machine the short idle timeout may come first.
    eventually("a connection is closed for a new one", || {
        let (server, mut idle) = full_server();
        thread::sleep(IDLE);
        // The first is not the one that is idle longest any more.
        try_get_keep_alive(&mut idle[0], "/status").ok()?;
        assert_eq!(server.get("/status").status, 200);
        let metrics = server.metrics();
        assert_eq!(metrics.sum("status_host_connections_refused_total"), 0);
        (metrics.count("status_host_connections_evicted_total") == 1).then_some(())?;
        // The server may notice in another order that the others are idle.
        wait_until("one of the others is closed", || {
            idle[1..].iter().filter(|stream| is_closed(stream)).count() == 1
        });
        try_get_keep_alive(&mut idle[0], "/status").ok()
    });
}

#[test]
fn silent_connections_lock_nobody_out() {
    let server = TestServer::with_options(&format!("--max-connections {CONNECTIONS}"));
    let silent: Vec<_> = (0..CONNECTIONS).map(|_| server.connect()).collect();
    server.wait_for_metric("status_host_connections_open", CONNECTIONS as u64);
    thread::sleep(IDLE);
    for _ in 0..2 * CONNECTIONS {
        assert_eq!(server.get("/status").status, 200);
    }
    drop(silent);
}

#[test]
fn idle_timeout_is_short_while_few_connections_are_free() {
    // The idle timeout is an hour.
    let (_server, mut idle) = full_server();
    assert_eq!(read_to_close(idle.last_mut().unwrap()), b"");
}
