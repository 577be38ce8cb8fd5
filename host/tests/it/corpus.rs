//! The seeds of the fuzz targets, as the fuzz targets run them.

#[path = "../../../fuzz/connection.rs"]
pub mod connection;
#[path = "../../../fuzz/responses.rs"]
mod responses;

use std::fs;

#[test]
fn corpus_of_requests_is_answered() {
    let service = connection::service();
    let corpus = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/request")).unwrap();
    let mut seeds = 0;
    for seed in corpus {
        let seed = fs::read(seed.unwrap().path()).unwrap();
        responses::check(&connection::answer(&service, &seed));
        // A truncated request is another request, or none.
        for end in [seed.len() / 3, seed.len() / 2, seed.len().saturating_sub(1)] {
            responses::check(&connection::answer(&service, &seed[..end]));
        }
        seeds += 1;
    }
    assert!(seeds >= 20, "the corpus is missing");
    let status = connection::answer(&service, b"GET /status HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(status.starts_with(b"HTTP/1.1 200 "));
}
