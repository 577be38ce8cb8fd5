//! Invariants of the component's response to any input, for the fuzz target and the test that replays its corpus.

use serde_json::Value;
use status_component::status::{Method, respond};

/// Checks the response to `bytes`: up to four lines with method, target, version and commit. A variable without a line
/// is not set.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.splitn(4, '\n');
    let method = match lines.next() {
        Some("GET") => Method::Get,
        Some("HEAD") => Method::Head,
        _ => Method::Other,
    };
    let target = lines.next();
    let variables: Vec<_> = ["APP_VERSION", "COMMIT_SHA"]
        .into_iter()
        .zip(lines)
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let response = respond(method, target, &variables);
    let header = |name| {
        response
            .headers
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| &**value)
    };
    let length: usize = header("content-length").unwrap().parse().unwrap();
    assert_eq!(header("cache-control"), Some("no-store"));
    if method == Method::Head {
        assert!(response.body.is_empty() && length > 0);
        return;
    }
    assert_eq!(response.body.len(), length);
    let body: Value = serde_json::from_slice(&response.body).unwrap();
    match response.status {
        200 => {
            let application = &body["myapplication"][0];
            assert_eq!(application["version"], variables[0].1);
            assert_eq!(application["lastcommitsha"], variables[1].1);
        }
        500 => assert!(variables.len() < 2),
        status => assert!((status == 404 || status == 405) && body["status"] == status),
    }
}
