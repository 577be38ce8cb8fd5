//! One instance after another behind one listening socket, under load: no request is lost.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::sys::signal::Signal;
use support::Service;

const RESTARTS: usize = 100;

#[test]
fn a_hundred_restarts_lose_no_request() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, over) = (listener.local_addr().unwrap(), AtomicBool::new(false));
    // Which a successor shares with its predecessor, too.
    let admin = format!("--admin {}", support::free());
    let mut instance = Service::start_on(&listener, &admin);
    assert_eq!(instance.address, address);
    thread::scope(|scope| {
        let over = &over;
        let clients: Vec<_> = [one_each, one_each, keep_alive, keep_alive]
            .into_iter()
            .map(|client: fn(SocketAddr, &AtomicBool) -> usize| scope.spawn(move || client(address, over)))
            .collect();
        let restarted = scope.spawn(|| {
            for _ in 0..RESTARTS {
                let next = Service::start_on(&listener, &admin);
                instance.signal(Signal::SIGTERM);
                let (status, log) = std::mem::replace(&mut instance, next).wait();
                assert_eq!(status.code(), Some(0));
                assert_eq!(log.last().unwrap()["message"], "drained", "{log:?}");
            }
        });
        let restarted = restarted.join();
        over.store(true, Ordering::Relaxed);
        for client in clients {
            assert!(client.join().unwrap() > RESTARTS);
        }
        assert!(restarted.is_ok());
    });
    instance.finish();
}

/// Asks on a connection for each request, none of which is tried twice. Returns how many were answered.
fn one_each(address: SocketAddr, over: &AtomicBool) -> usize {
    let mut answered = 0;
    while !over.load(Ordering::Relaxed) {
        let request = "GET /status HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        assert_eq!(support::send(address, request).status, 200);
        answered += 1;
    }
    answered
}

/// Asks on one connection until an answer says that it is the last. Returns how many were answered.
fn keep_alive(address: SocketAddr, over: &AtomicBool) -> usize {
    let mut answered = 0;
    while !over.load(Ordering::Relaxed) {
        let mut stream = support::connect(address);
        while !over.load(Ordering::Relaxed) {
            let answer = support::get_on(&mut stream, "/status");
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            answered += 1;
            if answer.contains("connection: close") {
                break;
            }
        }
    }
    answered
}

#[test]
fn what_waits_when_the_signal_comes_is_answered() {
    const CLIENTS: usize = 400;
    for _ in 0..5 {
        // One that has to give way holds its instance, and here they are many.
        let service = Service::start_with_options(&["--max-concurrency", "400"]);
        let mut clients: Vec<_> = (0..CLIENTS).map(|_| service.connect()).collect();
        for stream in &mut clients {
            stream.write_all(b"GET /status HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        }
        // Some are answered, some are read, some are accepted, and some are none of it.
        service.signal(Signal::SIGTERM);
        for stream in &mut clients {
            let answer = String::from_utf8(support::read_to_close(stream)).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
        let (status, _) = service.wait();
        assert_eq!(status.code(), Some(0));
    }
}

#[test]
fn a_drain_has_an_end() {
    let service = Service::start_probe(&["--drain-timeout", "700ms", "--client-timeout", "1m"]);
    let mut stream = service.connect();
    let head = "POST /wait-for-body HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    stream.read_exact(&mut [0; 25]).unwrap();
    service.signal(Signal::SIGTERM);
    let (status, log) = service.wait();
    assert_eq!(status.code(), Some(0));
    assert!(
        log.last().unwrap()["message"]
            .as_str()
            .unwrap()
            .starts_with("the drain timed out"),
        "{log:?}"
    );
}

#[test]
fn what_is_handed_over_has_to_be_a_listening_socket() {
    let file = OwnedFd::from(File::open("/dev/null").unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connected = OwnedFd::from(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
    for (handed, reason) in [(file, "not a socket"), (connected, "the socket does not listen")] {
        let output = support::handed_over(handed, "").output().unwrap();
        support::assert_refused(&output, 1, &["LISTEN_FDS", reason]);
    }
}

#[test]
fn a_closed_listener_refuses() {
    let service = Service::start();
    let address = service.address;
    service.finish();
    assert_eq!(
        TcpStream::connect(address).unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
}
