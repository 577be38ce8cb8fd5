//! Generated scripts: any sequence of resource operations has the same outcome on both implementations.

use std::cell::Cell;

use http::{HeaderValue, Method};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{RngSeed, TestRunner};

use super::pair::{PROBE, script};

const CASES: u32 = 800;

const NAMES: [&str; 4] = ["a", "A", "b", "x-c"];
const SPECIAL_NAMES: [&str; 4] = ["content-length", "host", "Connection", "a%20b"];
const VALUES: [&str; 6] = ["1", "2", "5", "", "v", "%ff"];
const INVALID_VALUES: [&str; 2] = ["x%0a", "%00"];

/// The length of a read or write. Longer ones trap, or are deliberate differences.
fn length() -> impl Strategy<Value = u32> {
    prop_oneof![16 => 0..12_u32, 2 => select(vec![100, 4096]), 1 => select(vec![4097, 65_536])]
}

fn name() -> impl Strategy<Value = &'static str> {
    prop_oneof![8 => select(&NAMES[..]), 1 => select(&SPECIAL_NAMES[..])]
}

fn value() -> impl Strategy<Value = &'static str> {
    prop_oneof![12 => select(&VALUES[..]), 1 => select(&INVALID_VALUES[..])]
}

/// An operation on `fields`.
fn fields() -> impl Strategy<Value = String> {
    let index = || 0..4_u32;
    prop_oneof![
        Just("fields.new".to_owned()),
        prop::collection::vec((name(), value()), 0..4).prop_map(|pairs| {
            let pairs = pairs.iter().map(|(name, value)| format!(" {name}={value}"));
            format!("fields.from-list{}", pairs.collect::<String>())
        }),
        (index(), name(), value()).prop_map(|(fields, name, value)| format!("fields.append {fields} {name} {value}")),
        (index(), name(), prop::collection::vec(value(), 0..3)).prop_map(|(fields, name, values)| {
            let values = values.iter().map(|value| format!(" {value}"));
            format!("fields.set {fields} {name}{}", values.collect::<String>())
        }),
        (select(vec!["get", "has", "delete"]), index(), name())
            .prop_map(|(operation, fields, name)| format!("fields.{operation} {fields} {name}")),
        (select(vec!["clone", "entries", "entries", "drop"]), index())
            .prop_map(|(operation, fields)| format!("fields.{operation} {fields}")),
    ]
}

/// Operations with a resource, or none.
#[rustfmt::skip]
const UNARY: [&str; 33] = [
    "request.method", "request.authority", "request.headers", "request.headers", "request.consume", "request.consume",
    "request.drop", "incoming.stream", "incoming.finish", "incoming.drop", "trailers.wait",
    "trailers.subscribe", "trailers.drop", "response.new", "response.new", "response.status", "response.headers",
    "response.body", "response.body", "response.set", "response.drop", "out.error", "body.write", "body.write",
    "body.finish", "body.drop", "input.subscribe", "input.drop", "output.drop", "output.subscribe", "error.code",
    "poll.ready", "poll.drop",
];

/// Operations with a stream and a length.
#[rustfmt::skip]
const LENGTHS: [&str; 8] = [
    "input.read", "input.blocking-read", "input.skip", "input.blocking-skip", "output.write", "output.blocking-write",
    "output.zeroes", "output.blocking-zeroes",
];

const FLUSHES: [&str; 3] = ["output.check", "output.flush", "output.blocking-flush"];

fn operation() -> impl Strategy<Value = String> {
    let index = || 0..3_u32;
    prop_oneof![
        4 => fields(),
        6 => (select(&UNARY[..]), index()).prop_map(|(operation, index)| format!("{operation} {index}")),
        3 => (select(&LENGTHS[..]), index(), length())
            .prop_map(|(operation, stream, length)| format!("{operation} {stream} {length}")),
        1 => (select(&FLUSHES[..]), index()).prop_map(|(operation, stream)| format!("{operation} {stream}")),
        1 => (select(vec!["splice", "blocking-splice"]), index(), index(), length())
            .prop_map(|(operation, output, input, length)| format!("output.{operation} {output} {input} {length}")),
        1 => prop::collection::vec(index(), 1..4).prop_map(|pollables| {
            let pollables = pollables.iter().map(|pollable| format!(" {pollable}"));
            format!("poll.poll{}", pollables.collect::<String>())
        }),
        1 => (index(), select(vec![200_u32, 204, 304, 404, 99, 1000])).prop_map(|(response, status)| {
            format!("response.set-status {response} {status}")
        }),
        1 => (index(), index()).prop_map(|(body, fields)| format!("body.finish-with-trailers {body} {fields}")),
    ]
}

/// What most handlers begin with, so that later operations find resources.
#[rustfmt::skip]
const BEGINNINGS: [&str; 7] = [
    "",
    "fields.from-list a=1 b=2 a=3 x-c=4; fields.clone 0; ",
    "request.headers; request.consume; incoming.stream 0; fields.from-list b=1 b=2; ",
    "fields.new; response.new 0; response.body 0; body.write 0; request.consume; incoming.stream 0; ",
    "fields.new; response.new 0; response.body 0; body.write 0; request.consume; incoming.stream 0; \
     input.skip 0 9999; ",
    "fields.from-list content-length=2; response.new 0; response.body 0; body.write 0; output.write 0 3; ",
    "fields.from-list content-length=5 a=1; response.new 0; response.body 0; response.set 0; body.write 0; ",
];

/// What each handler ends with, unless it has trapped.
const END: &str = "fields.entries 0; fields.entries 1; fields.entries 2; response.status 0; input.read 0 9";

const BODIES: [&[u8]; 4] = [b"", b"0123456789", &[b'l'; 5000], b"!"];

#[test]
fn generated_scripts_agree() {
    let config = ProptestConfig {
        cases: CASES,
        rng_seed: RngSeed::Fixed(0),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let cases = (
        select(&BEGINNINGS[..]),
        prop::collection::vec(operation(), 1..24),
        select(&BODIES[..]),
        select(vec![Method::GET, Method::POST, Method::PUT, Method::HEAD]),
    );
    let transcripts = Cell::new(0);
    let result = TestRunner::new(config).run(&cases, |(beginning, operations, body, method)| {
        let operations = format!("{beginning}{}; {END}", operations.join("; "));
        let mut request = script(&operations, body);
        *request.method_mut() = method;
        for (name, value) in [("a", "1"), ("a", "2"), ("connection", "close")] {
            request.headers_mut().append(name, HeaderValue::from_static(value));
        }
        let outcome = PROBE.own(&request);
        if !outcome.starts_with("failure") {
            transcripts.set(transcripts.get() + 1);
        }
        prop_assert_eq!(outcome, PROBE.stock(&request), "{}: left is this project", operations);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    assert!(
        transcripts.get() > CASES / 2,
        "only {} scripts have a transcript",
        transcripts.get()
    );
}
