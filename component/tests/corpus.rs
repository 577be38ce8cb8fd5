//! What fuzzing starts from, and has found.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../../fuzz/statement.rs"]
mod statement;

use std::fs;

#[test]
fn the_corpus_of_requests_is_answered() {
    let corpus = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/component")).unwrap();
    let mut seeds = 0;
    for seed in corpus {
        statement::check(&fs::read(seed.unwrap().path()).unwrap());
        seeds += 1;
    }
    assert!(seeds >= 10);
}
