//! Tests of `status::respond`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::Value;
use status_component::status::{APP_VERSION, COMMIT_SHA, Method, Response, respond};

fn variables(version: &str, commit: &str) -> Vec<(String, String)> {
    vec![
        (APP_VERSION.to_owned(), version.to_owned()),
        (COMMIT_SHA.to_owned(), commit.to_owned()),
    ]
}

#[track_caller]
fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    let mut values = response.headers.iter().filter(|(key, _)| *key == name);
    let value = values.next().map(|(_, value)| &**value);
    assert_eq!(values.next(), None, "duplicate header {name}");
    value
}

#[track_caller]
fn assert_problem(response: &Response, status: u16, detail: &str) {
    let problem: Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!((response.status, &problem["status"]), (status, &Value::from(status)));
    assert!(problem["detail"].as_str().unwrap().contains(detail), "{problem}");
    assert_eq!(header(response, "content-type"), Some("application/problem+json"));
}

#[test]
fn status_has_the_members_and_order_of_the_contract() {
    let response = respond(Method::Get, Some("/status"), &variables("0.0.1", "abc"));
    let body =
        r#"{"myapplication":[{"version":"0.0.1","lastcommitsha":"abc","description":"pre-interview technical test"}]}"#;
    assert_eq!(
        (response.status, std::str::from_utf8(&response.body).unwrap()),
        (200, body)
    );
    assert_eq!(header(&response, "content-type"), Some("application/json"));
    assert_eq!(
        header(&response, "content-length"),
        Some(body.len().to_string().as_str())
    );
    assert_eq!(header(&response, "cache-control"), Some("no-store"));
    assert_eq!(header(&response, "x-content-type-options"), Some("nosniff"));
    assert_eq!(header(&response, "allow"), None);
}

#[test]
fn missing_variable_is_named_in_a_500() {
    let all = variables("0.0.1", "abc");
    for (environment, missing) in [(&all[1..], APP_VERSION), (&all[..1], COMMIT_SHA), (&[], APP_VERSION)] {
        assert_problem(&respond(Method::Get, Some("/status"), environment), 500, missing);
    }
    let others = [
        ("app_version".to_owned(), "1".to_owned()),
        ("APP_VERSION_".to_owned(), "2".to_owned()),
    ];
    assert_problem(&respond(Method::Get, Some("/status"), &others), 500, APP_VERSION);
}

#[test]
fn first_value_of_a_duplicate_variable_is_used() {
    let twice = [variables("first", "abc"), variables("second", "def")].concat();
    let response = respond(Method::Get, Some("/status"), &twice);
    assert_eq!(
        response,
        respond(Method::Get, Some("/status"), &variables("first", "abc"))
    );
}

#[test]
fn client_errors_need_no_variables() {
    let response = respond(Method::Other, Some("/status?x"), &[]);
    assert_problem(&response, 405, "GET and HEAD");
    assert_eq!(header(&response, "allow"), Some("GET, HEAD"));
    for target in [
        None,
        Some(""),
        Some("*"),
        Some("/"),
        Some("?/status"),
        Some("/status/"),
        Some("status"),
    ] {
        for method in [Method::Get, Method::Other] {
            assert_problem(&respond(method, target, &[]), 404, "/status");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(0),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_variable_value_round_trips(version: String, commit: String) {
        let response = respond(Method::Get, Some("/status"), &variables(&version, &commit));
        prop_assert_eq!(response.status, 200);
        let body: Value = serde_json::from_slice(&response.body).unwrap();
        prop_assert_eq!(&body["myapplication"][0]["version"], &Value::from(version));
        prop_assert_eq!(&body["myapplication"][0]["lastcommitsha"], &Value::from(commit));
        prop_assert_eq!(body["myapplication"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn any_target_has_a_status_of_the_contract(target: Option<String>, method in 0..3) {
        let method = [Method::Get, Method::Head, Method::Other][usize::try_from(method).unwrap()];
        let response = respond(method, target.as_deref(), &variables("0.0.1", "abc"));
        prop_assert!([200, 404, 405].contains(&response.status));
        prop_assert!(response.headers.iter().all(|(name, value)| name.is_ascii() && value.is_ascii()));
    }

    #[test]
    fn head_is_get_without_the_body(target in "(/status)?[/?a]{0,3}", are_set: bool) {
        let variables = if are_set { variables("0.0.1", "abc") } else { Vec::new() };
        let get = respond(Method::Get, Some(&target), &variables);
        let head = respond(Method::Head, Some(&target), &variables);
        prop_assert!(head.body.is_empty() && !get.body.is_empty());
        prop_assert_eq!((head.status, head.headers), (get.status, get.headers));
    }
}
