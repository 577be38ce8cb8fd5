//! What fuzzing starts from, and has found, as fuzzing runs it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../../fuzz/connection.rs"]
mod connection;
#[path = "../../fuzz/responses.rs"]
mod responses;

use std::fs;

#[test]
fn the_corpus_of_requests_is_answered() {
    let service = connection::service();
    let corpus = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/request")).unwrap();
    let mut seeds = 0;
    for seed in corpus {
        let seed = fs::read(seed.unwrap().path()).unwrap();
        responses::check(&connection::answer(&service, &seed));
        // Cut short it is another request, or none.
        for end in [seed.len() / 3, seed.len() / 2, seed.len().saturating_sub(1)] {
            responses::check(&connection::answer(&service, &seed[..end]));
        }
        seeds += 1;
    }
    assert!(seeds >= 20);
    let status = connection::answer(&service, b"GET /status HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(status.starts_with(b"HTTP/1.1 200 "));
}
