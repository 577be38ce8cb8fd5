//! What fuzzing starts from, and has found, through the real binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../../fuzz/responses.rs"]
mod responses;
mod support;

use std::fs;
use std::io::Write;
use std::net::Shutdown;

use support::Service;

#[test]
fn the_corpus_of_requests_is_answered() {
    let service = Service::start();
    let corpus = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/request")).unwrap();
    let mut seeds = 0;
    for seed in corpus {
        let mut stream = service.connect();
        // Fails where the service has heard enough.
        let _ = stream.write_all(&fs::read(seed.unwrap().path()).unwrap());
        let _ = stream.shutdown(Shutdown::Write);
        responses::check(&support::read_to_close(&mut stream));
        seeds += 1;
    }
    assert!(seeds >= 20);
    assert_eq!(service.get("/status").status, 200);
    service.finish();
}
