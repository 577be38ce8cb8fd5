//! Replays the corpus of the fuzz target `component`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../../fuzz/component_check.rs"]
mod component_check;

use std::fs;

#[test]
fn component_corpus_holds_the_invariants() {
    let corpus = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/component")).unwrap();
    let mut inputs = 0;
    for input in corpus {
        component_check::check(&fs::read(input.unwrap().path()).unwrap());
        inputs += 1;
    }
    assert!(inputs >= 10);
}
