//! Hostile clients: each has a limit in time and in size, and costs nobody else anything.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use support::{Response, Service};

/// A service that has little patience.
fn impatient() -> Service {
    Service::start_probe(&["--client-timeout", "300ms", "--idle-timeout", "600ms"])
}

fn response(stream: &mut TcpStream) -> Response {
    Response::parse(&support::read_to_close(stream))
}

#[test]
fn a_head_that_does_not_come_is_not_waited_for() {
    let service = impatient();
    let (mut silent, mut slow) = (service.connect(), service.connect());
    slow.write_all(b"GET /status HTTP/1.1\r\nhost: a\r\nx-a: b").unwrap();
    let answer = response(&mut slow);
    answer.assert_problem(408);
    assert_eq!(answer.header("connection"), "close");
    assert_eq!(support::read_to_close(&mut silent), b"", "nothing was asked");
    service.finish();
}

#[test]
fn a_head_that_trickles_is_not_waited_for() {
    let service = impatient();
    let mut stream = service.connect();
    let mut trickle = stream.try_clone().unwrap();
    let trickling = thread::spawn(move || {
        for _ in 0..100 {
            if trickle.write_all(b"GET / HTTP/1.1").is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
    });
    response(&mut stream).assert_problem(408);
    trickling.join().unwrap();
    service.finish();
}

#[test]
fn a_head_may_come_byte_by_byte() {
    let service = Service::start();
    let mut stream = service.connect();
    stream.set_nodelay(true).unwrap();
    for byte in b"GET /status HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n" {
        stream.write_all(&[*byte]).unwrap();
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(response(&mut stream).status, 200);
    service.finish();
}

#[test]
fn empty_lines_before_a_head_are_passed_over() {
    let service = Service::start_probe(&["--client-timeout", "300ms", "--idle-timeout", "2s"]);
    let mut stream = service.connect();
    support::get_on(&mut stream, "/count");
    // They neither begin a head nor fill the room for one.
    stream.write_all("\r\n".repeat(64 * 1024).as_bytes()).unwrap();
    thread::sleep(Duration::from_millis(700));
    stream.write_all(b"\r").unwrap();
    stream.write_all(b"\n").unwrap();
    assert!(support::get_on(&mut stream, "/count").starts_with("HTTP/1.1 200 "));
    service.finish();
}

#[test]
fn half_a_head_and_then_nothing_is_no_request() {
    let service = Service::start();
    let mut stream = service.connect();
    stream.write_all(b"GET /status HTTP/1.1\r\nhost: a").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(support::read_to_close(&mut stream), b"");
    service.finish();
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let service = impatient();
    for framing in ["content-length: 2", "transfer-encoding: chunked"] {
        let mut stream = service.connect();
        let head = format!("POST /wait-for-body HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n1");
        stream.write_all(head.as_bytes()).unwrap();
        let answer = response(&mut stream);
        answer.assert_problem(408);
        assert_eq!(answer.header("connection"), "close");
    }
    service.finish();
}

#[test]
fn an_answer_that_is_not_taken_is_given_up() {
    const REQUESTS: usize = 64;
    let service = impatient();
    let mut stream = service.connect();
    // More than the buffers of both sides hold.
    let requests = "GET /mebibyte HTTP/1.1\r\nhost: a\r\n\r\n".repeat(REQUESTS);
    stream.write_all(requests.as_bytes()).unwrap();
    thread::sleep(Duration::from_secs(1));
    let taken = support::read_to_close(&mut stream).len();
    assert!(taken < REQUESTS * 1024 * 1024, "{taken} bytes came all the same");
    service.finish();
}

#[test]
fn a_connection_does_not_idle_for_ever() {
    let service = Service::start_probe(&["--client-timeout", "300ms", "--idle-timeout", "2s"]);
    let mut stream = service.connect();
    for _ in 0..3 {
        support::get_on(&mut stream, "/count");
        // Longer than a head may take.
        thread::sleep(Duration::from_millis(700));
    }
    assert_eq!(support::read_to_close(&mut stream), b"");
    service.finish();
}

#[test]
fn a_body_has_a_limit() {
    let service = Service::start_probe(&["--max-body", "8"]);
    let post = |framing: &str, body: &str| {
        service.send(format!(
            "POST /wait-for-body HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n{body}"
        ))
    };
    let within = post("content-length: 8", "12345678");
    assert_eq!((within.status, within.text()), (200, "1"));
    let within = post("transfer-encoding: chunked", "4\r\n1234\r\n4\r\n5678\r\n0\r\n\r\n");
    assert_eq!((within.status, within.text()), (200, "1"));
    post("content-length: 9", "123456789").assert_problem(413);
    post("transfer-encoding: chunked", "4\r\n1234\r\n5\r\n56789\r\n0\r\n\r\n").assert_problem(413);
    let not_asked = post("content-length: 9\r\nexpect: 100-continue", "");
    not_asked.assert_problem(413);
    service.finish();
}

#[test]
fn a_long_body_that_is_refused_does_not_take_the_answer_with_it() {
    let service = Service::start();
    for _ in 0..20 {
        let body = "x".repeat(1024 * 1024);
        let request = format!(
            "POST /status HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        service.send(request).assert_problem(413);
    }
    service.finish();
}

#[test]
fn what_still_comes_does_not_take_the_answer_with_it() {
    let service = Service::start_probe(&["--max-connections", "1"]);
    let mut only = service.connect();
    support::get_on(&mut only, "/count");
    let post = |body: usize| format!("POST /1 HTTP/1.1\r\nhost: a\r\ncontent-length: {body}\r\n\r\n");
    for _ in 0..20 {
        let refused = service.send(post(1024 * 1024) + &"x".repeat(1024 * 1024));
        refused.assert_problem(503);
    }
    // The answer to a body is the last of its connection.
    only.write_all((post(1) + "1").as_bytes()).unwrap();
    for _ in 0..20 {
        thread::sleep(Duration::from_millis(5));
        let _ = only.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    }
    let answer = response(&mut only);
    assert_eq!((answer.status, answer.text()), (200, "/1"));
    service.finish();
}

#[test]
fn a_rejected_head_request_gets_no_content() {
    let service = Service::start();
    let target = "x".repeat(9000);
    let answer = service.send(format!("HEAD /{target} HTTP/1.1\r\nhost: a\r\n\r\n"));
    assert_eq!((answer.status, answer.body.len()), (414, 0));
    service.finish();
}

#[test]
fn what_comes_after_a_rejection_is_taken() {
    let service = Service::start();
    let mut stream = service.connect();
    stream.write_all(b"nonsense\r\n\r\n").unwrap();
    response(&mut stream).assert_problem(400);
    for _ in 0..5 {
        thread::sleep(Duration::from_millis(50));
        // Fails once the other side has been closed with something unread.
        stream.write_all(b"more").unwrap();
    }
    service.finish();
}

#[test]
fn a_client_that_stays_after_its_last_answer_is_let_go() {
    let service = Service::start_probe(&["--max-connections", "1", "--client-timeout", "1m"]);
    let mut rejected = service.connect();
    rejected.write_all(b"nonsense\r\n\r\n").unwrap();
    response(&mut rejected).assert_problem(400);
    let answered = (0..100).any(|_| {
        thread::sleep(Duration::from_millis(50));
        service.get("/count").status == 200
    });
    assert!(answered, "there is room again");
    drop(rejected);
    service.finish();
}

#[test]
fn what_follows_a_body_is_not_read() {
    let service = Service::start();
    for request in [
        "POST /status HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\n1",
        "POST /status HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\n1\r\n0\r\n\r\n",
    ] {
        let answer = service.send(format!("{request}GET /status HTTP/1.1\r\nhost: a\r\n\r\n"));
        answer.assert_problem(405);
        assert_eq!(answer.header("connection"), "close");
        assert!(!answer.text().contains("HTTP/1.1"), "one answer only");
    }
    service.finish();
}

#[test]
fn requests_that_come_at_once_are_answered_in_turn() {
    let service = Service::start_probe(&[]);
    let mut stream = service.connect();
    let requests = "GET /1 HTTP/1.1\r\nhost: a\r\n\r\nGET /2 HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n\
                    \r\n\r\nGET /3 HTTP/1.1\r\nhost: a\r\n\r\nGET /4 HTTP/1.1\nhost: a\r\n\r\nGET /5 HTTP/1.1\r\n";
    stream.write_all(requests.as_bytes()).unwrap();
    let answers = String::from_utf8(support::read_to_close(&mut stream)).unwrap();
    let starts: Vec<_> = answers.match_indices("HTTP/1.1 ").map(|(at, _)| at).collect();
    assert_eq!(starts.len(), 4, "{answers}");
    for (at, target) in starts.iter().zip(["/1", "/2", "/3"]) {
        assert!(answers[*at..].starts_with("HTTP/1.1 200 OK") && answers.contains(&format!("\r\n\r\n{target}")));
    }
    assert!(answers[starts[3]..].starts_with("HTTP/1.1 400 "), "{answers}");
    service.finish();
}

#[test]
fn a_head_has_limits() {
    let service = Service::start();
    let get = |target: &str, fields: &str| {
        service.send(format!(
            "GET {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{fields}\r\n"
        ))
    };
    let fields = |count: usize| "a: b\r\n".repeat(count);
    assert_eq!(get("/status", &fields(98)).status, 200);
    get("/status", &fields(99)).assert_problem(431);
    let target = |length: usize| format!("/status?{}", "x".repeat(length - 8));
    assert_eq!(get(&target(8 * 1024), "").status, 200);
    get(&target(8 * 1024 + 1), "").assert_problem(414);
    get(&target(64 * 1024), "").assert_problem(414);
    let head = |length: usize| {
        let rest = "GET /status HTTP/1.1\r\nhost: a\r\nconnection: close\r\na: \r\n\r\n".len();
        format!("a: {}\r\n", "x".repeat(length - rest))
    };
    assert_eq!(get("/status", &head(16 * 1024)).status, 200);
    get("/status", &head(16 * 1024 + 1)).assert_problem(431);
    get("/status", &head(64 * 1024)).assert_problem(431);
    service.finish();
}

#[test]
fn a_connection_above_the_limit_is_refused() {
    /// As many are told so at the same time.
    const REFUSALS: usize = 256;
    let service = Service::start_with_options(&["--max-connections", "2"]);
    let mut first = [service.connect(), service.connect()];
    for stream in &mut first {
        support::get_on(stream, "/status");
    }
    let refused = service.get("/status");
    refused.assert_problem(503);
    assert_eq!(
        (refused.header("retry-after"), refused.header("connection")),
        ("1", "close")
    );
    let mut crowd: Vec<_> = (0..REFUSALS).map(|_| service.connect()).collect();
    let mut above = service.connect();
    assert_eq!(support::read_to_close(&mut above), b"", "no room to be told");
    assert!(support::get_on(&mut crowd[0], "/status").starts_with("HTTP/1.1 503 "));
    for stream in &mut first {
        assert!(support::get_on(stream, "/status").starts_with("HTTP/1.1 200 "));
    }
    drop((first, crowd));
    let answered = (0..100).any(|_| {
        thread::sleep(Duration::from_millis(20));
        service.get("/status").status == 200
    });
    assert!(answered, "there is room again");
    service.finish();
}

#[test]
fn a_client_that_goes_away_is_let_go() {
    let service = Service::start_probe(&["--max-connections", "2"]);
    for _ in 0..50 {
        let mut stream = service.connect();
        stream.write_all(b"GET /mebibyte HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        let _ = stream.read(&mut [0; 16]).unwrap();
    }
    assert_eq!(service.get("/count").text(), "1");
    service.finish();
}
