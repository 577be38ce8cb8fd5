//! `output-stream`, `error` and `pollable`.

use super::{Row, assert_scripts_agree};

/// A response whose body goes to output 0, and the request body as input 0.
macro_rules! script {
    ($script:literal) => {
        concat!(
            "request.consume; incoming.stream 0; fields.new; response.new 0; response.body 0; response.set 0; ",
            "body.write 0; ",
            $script
        )
    };
}

#[rustfmt::skip]
const WRITES: [Row; 12] = [
    (script!("output.check 0; output.write 0 0; output.write 0 1; output.check 0"), "check 0: 65536"),
    (script!("output.write 0 65536; output.drop 0; body.finish 0"), "xxxxxxxx"),
    (script!("output.write 0 65537"), "failure trap"),
    (script!("output.blocking-write 0 4096; output.blocking-write 0 0; output.drop 0; body.finish 0"), "xxxxxxxx"),
    (script!("output.blocking-write 0 4097"), "failure trap"),
    (script!("output.zeroes 0 3; output.zeroes 0 0; output.blocking-zeroes 0 2"), "200\n\n\0\0\0\0\0"),
    (script!("output.zeroes 0 65537"), "failure trap"),
    (script!("output.blocking-zeroes 0 4097"), "failure trap"),
    (script!("output.zeroes 0 65536; output.drop 0; body.finish 0"), "200\n\n\0"),
    (script!("output.flush 0; output.write 0 1; output.flush 0; output.blocking-flush 0; output.write 0 1"),
     "200\n\nxx"),
    (script!("output.write 0 1; output.drop 0; output.check 0"), "200\n\nx"),
    (script!("output.subscribe 0; output.drop 0"), "failure trap"),
];

#[rustfmt::skip]
const SPLICES: [Row; 7] = [
    (script!("output.splice 0 0 4; output.blocking-splice 0 0 4; output.splice 0 0 99; output.splice 0 0 1"),
     "200\n\n0123456789"),
    (script!("output.splice 0 0 0; output.blocking-splice 0 0 0; input.skip 0 99; output.splice 0 0 0; \
              output.blocking-splice 0 0 0"), "blocking-splice 0 0 0: 0"),
    (script!("input.skip 0 99; output.splice 0 0 1; output.blocking-splice 0 0 1"), "splice 0 0 1: closed"),
    (script!("output.splice 0 0 18446744073709551615; input.read 0 1"), "0123456789"),
    (script!("output.splice 0 0 3; input.read 0 3; output.splice 0 0 3"), "012678"),
    ("request.consume; incoming.stream 0; fields.new; response.new 0; response.body 0; body.write 0; \
      response.drop 0; output.splice 0 0 1; output.blocking-splice 0 0 1; output.splice 0 0 0; input.read 0 2", "01"),
    ("request.consume; incoming.stream 0; fields.from-list content-length=3; response.new 0; response.body 0; \
      body.write 0; output.splice 0 0 4; error.code 0; input.read 0 2; output.blocking-splice 0 0 2; error.code 1",
     "Some(6)"),
];

#[rustfmt::skip]
const POLLS: [Row; 8] = [
    (script!("output.subscribe 0; poll.ready 0; poll.block 0; poll.poll 0; poll.drop 0; output.drop 0; body.finish 0"),
     "200"),
    (script!("input.subscribe 0; output.subscribe 0; poll.poll 0 1; poll.poll 1 0; poll.poll 0 0 1"),
     "poll 0 0 1: [0, 1, 2]"),
    (script!("input.subscribe 0; input.subscribe 0; poll.order 0 1; poll.drop 0; poll.order 0"), "order 0 1: [0, 1]"),
    (script!("poll.poll"), "failure trap"),
    (script!("input.subscribe 0; input.read 0 99; input.read 0 1; poll.ready 0; poll.poll 0"), "ready 0: true"),
    ("fields.new; response.new 0; response.body 0; body.write 0; output.subscribe 0; response.drop 0; poll.block 0; \
      poll.ready 0", "ready 0: true"),
    ("request.consume; incoming.finish 0; trailers.subscribe 0; poll.poll 0; poll.order 0 0; poll.drop 0; \
      trailers.get 0", "order 0 0: [0, 1]"),
    ("poll.ready 0; poll.block 0; poll.poll 0", "no such resource"),
];

#[test]
fn writes_agree() {
    assert_scripts_agree(b"0123456789", &WRITES);
}

#[test]
fn splices_agree() {
    assert_scripts_agree(b"0123456789", &SPLICES);
}

#[test]
fn polls_agree() {
    assert_scripts_agree(b"0123456789", &POLLS);
}
