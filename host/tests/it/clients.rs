//! Hostile and slow clients: none affects the others. The limits on one connection are tested in memory.

use std::io::Write;
use std::net::TcpStream;
use std::thread;

use crate::support::component::spin;
use crate::support::{TestServer, get_keep_alive, read_to_close, status_host, wait_until};

/// Opens `count` connections; every other one sends a request first.
fn idle_connections(server: &TestServer, count: usize) -> Vec<TcpStream> {
    let connections = (0..count).map(|number| {
        let mut stream = server.connect();
        if number % 2 == 0 {
            assert_eq!(get_keep_alive(&mut stream, "/status").status, 200);
        }
        stream
    });
    connections.collect()
}

#[test]
fn idle_connections_at_the_limit_are_closed_for_new_clients() {
    const LIMIT: usize = 50;
    const CLIENTS: usize = 100;
    let server = TestServer::with_options(&format!("--max-connections {LIMIT}"));
    let idle = idle_connections(&server, LIMIT);
    server.wait_for_metric("status_host_connections_open", LIMIT as u64);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| scope.spawn(|| server.get("/status").status))
            .collect();
        assert!(clients.into_iter().all(|client| client.join().unwrap() == 200));
    });
    assert!(server.metrics().count("status_host_connections_evicted_total") > 0);
    drop(idle);
}

#[test]
fn endless_guests_affect_neither_other_requests_nor_liveness() {
    const REQUESTS: usize = 2_000;
    let options = "--worker-threads 1 --max-connections 4096 --request-timeout 500ms";
    let server = TestServer::module(&spin(), status_host().args(options.split(' ')));
    let mut clients: Vec<_> = (0..REQUESTS).map(|_| server.connect()).collect();
    for client in &mut clients {
        let request = b"GET /status HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        client.write_all(request).unwrap();
    }
    server.send("GET /status HTTP/1.1\r\n\r\n").assert_problem(400);
    server.admin_get("/livez").assert_is(200, "ok\n");
    for client in &mut clients {
        let received = String::from_utf8(read_to_close(client)).unwrap();
        let is_refused_or_late = ["503", "504"].map(|status| received.starts_with(&format!("HTTP/1.1 {status} ")));
        assert!(is_refused_or_late.contains(&true), "{received}");
    }
    server.admin_get("/livez").assert_is(200, "ok\n");
}

/// Bytes of resident memory that a connection may cost: a head of 16 KiB, as received and parsed; a body of 16 KiB, in
/// the buffer of the connection and in one that doubles; and the task.
const USER_MEMORY: u64 = 96 * 1024;

#[test]
fn worst_request_costs_at_most_96_kib() {
    const CONNECTIONS: u64 = 400;
    /// Fields of a head of nearly 16 KiB, with names that cannot be shared.
    const FIELDS: usize = 96;
    const NAME_LENGTH: usize = 158;
    /// One byte less than the default limit, so that the server waits for the rest.
    const BODY: usize = 16 * 1024 - 1;
    let name = "x".repeat(NAME_LENGTH);
    let fields = (0..FIELDS).map(|number| format!("{name}-{number}: a\r\n"));
    let fields = fields.collect::<Vec<_>>().concat();
    let body = "x".repeat(BODY);
    let request = format!(
        "POST /status HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n{fields}\r\n{body}",
        BODY + 1
    );

    let server = TestServer::start();
    assert_eq!(server.get("/status").status, 200);
    let before = server.resident_bytes();
    let mut held: Vec<_> = (0..CONNECTIONS).map(|_| server.connect()).collect();
    for stream in &mut held {
        stream.write_all(request.as_bytes()).unwrap();
    }
    server.wait_for_metric("status_host_connections_open", CONNECTIONS);
    // The server may still be reading.
    let mut last = 0;
    wait_until("resident memory is steady", || {
        let now = server.resident_bytes();
        std::mem::replace(&mut last, now) == now
    });
    let bytes = (last - before) / CONNECTIONS;
    assert!(bytes <= USER_MEMORY, "{bytes} bytes per connection");
    // Of each connection the server waits for the rest of the body.
    server.stop_now();
}
