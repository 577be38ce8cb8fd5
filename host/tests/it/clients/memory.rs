//! The memory that a client can make the server hold.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::{TestServer, get_keep_alive, wait_until};

/// Bytes of user memory that a connection may cost.
const USER_MEMORY: u64 = 64 * 1024;

/// Bytes that the kernel may store for a connection: those that are not sent, and those that the server has not read.
const UNSENT: u64 = 80 * 1024;
const UNREAD: u64 = 32 * 1024;

/// A head of just under 16 KiB: 96 fields with long names.
fn long_head(method: &str, framing: &str) -> String {
    let fields = (0..96).map(|number| format!("{}-{number}: a\r\n", "x".repeat(158)));
    let head = format!(
        "{method} /status HTTP/1.1\r\nhost: a\r\n{framing}{}\r\n",
        fields.collect::<String>()
    );
    assert!(head.len() < 16 * 1024 && head.len() > 14 * 1024, "{}", head.len());
    head
}

/// Bytes that `CONNECTIONS` connections add to the resident memory of the server, per connection, once `abuse` has
/// brought each of them into a bad state.
fn bytes_per_connection(abuse: impl Fn(&mut TcpStream)) -> u64 {
    const CONNECTIONS: u64 = 400;
    let server = TestServer::start();
    assert_eq!(server.get("/status").status, 200);
    let before = server.resident_bytes();
    let mut held: Vec<_> = (0..CONNECTIONS).map(|_| server.connect()).collect();
    held.iter_mut().for_each(abuse);
    server.wait_for_metric("status_host_connections_open", CONNECTIONS);
    // The server may still be reading.
    let mut last = 0;
    wait_until("resident memory is steady", || {
        let now = server.resident_bytes();
        std::mem::replace(&mut last, now) == now
    });
    (last - before) / CONNECTIONS
}

#[test]
fn worst_request_costs_at_most_64_kib() {
    let post = long_head("POST", "transfer-encoding: chunked\r\n");
    let chunk = |size: usize| format!("{size:x}\r\n{}\r\n", "x".repeat(size));
    let trailers = format!("{}: a\r\n", "y".repeat(150)).repeat(97);
    let request = format!("{post}{}{}0\r\n{trailers}", chunk(0x1000).repeat(3), chunk(0xfff));
    let bytes = bytes_per_connection(|stream| {
        // Another request first, which fills the buffer that hyper keeps.
        get_keep_alive(stream, &format!("/status?{}", "x".repeat(8000)));
        stream.write_all(request.as_bytes()).unwrap();
    });
    assert!(bytes <= USER_MEMORY, "{bytes} bytes per connection");
}

/// Bytes that the kernel stores for the connection of `client`, at the side of the server: unsent and unread ones.
fn kernel_queues(client: &TcpStream) -> (u64, u64) {
    let port = |address: std::net::SocketAddr| format!(":{:04X}", address.port());
    let (local, peer) = (port(client.peer_addr().unwrap()), port(client.local_addr().unwrap()));
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let row = rows
        .into_iter()
        .find(|row| row[1].ends_with(&local) && row[2].ends_with(&peer))
        .unwrap();
    let (unsent, unread) = row[4].split_once(':').unwrap();
    let bytes = |digits| u64::from_str_radix(digits, 16).unwrap();
    (bytes(unsent), bytes(unread))
}

#[test]
fn kernel_stores_little_for_a_client_that_stops_reading() {
    let server = TestServer::probe("");
    let mut stream = server.connect();
    // Responses of 64 MiB, of which the client reads a part: until then the kernel would let its buffer grow.
    stream
        .write_all("GET /mebibyte HTTP/1.1\r\nhost: a\r\n\r\n".repeat(64).as_bytes())
        .unwrap();
    stream.read_exact(&mut vec![0; 32 * 1024 * 1024]).unwrap();
    // And requests that the server does not read.
    stream.set_nonblocking(true).unwrap();
    let requests = "GET / HTTP/1.1\r\nhost: a\r\n\r\n".repeat(1024);
    let mut last = None;
    wait_until("the queues are full", || {
        let _ = stream.write(requests.as_bytes());
        let queues = kernel_queues(&stream);
        queues.0 > 0 && queues.1 > 0 && last.replace(queues) == Some(queues)
    });
    let (unsent, unread) = last.unwrap();
    assert!(unsent <= UNSENT, "{unsent} bytes not sent");
    assert!(unread <= UNREAD, "{unread} bytes not read");
}
