//! The contract of `/status`, as `openapi.yaml` describes it.

use crate::support::{COMMIT, TestServer, VERSION};

fn body() -> String {
    format!(
        r#"{{"myapplication":[{{"version":"{VERSION}","lastcommitsha":"{COMMIT}","description":"pre-interview technical test"}}]}}"#
    )
}

#[test]
fn get_returns_version_and_commit() {
    let server = TestServer::start();
    let response = server.get("/status");
    response.assert_is(200, &body());
    assert_eq!(response.header("content-type"), "application/json");
    response.assert_common_headers();
}

#[test]
fn head_returns_the_headers_of_get() {
    let server = TestServer::start();
    for (target, status) in [("/status", 200), ("/", 404)] {
        let (get, head) = (server.get(target), server.request("HEAD", target));
        head.assert_is(status, "");
        head.assert_common_headers();
        let without_date = |headers: &[(String, String)]| -> Vec<_> {
            headers.iter().filter(|(name, _)| name != "date").cloned().collect()
        };
        assert_eq!(without_date(&head.headers), without_date(&get.headers));
    }
}

#[test]
fn other_method_is_not_allowed() {
    let server = TestServer::start();
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", "get"] {
        let response = server.request(method, "/status");
        response.assert_problem(405);
        assert_eq!(response.header("allow"), "GET, HEAD");
    }
}

#[test]
fn other_path_is_not_found() {
    let server = TestServer::start();
    for path in
        "/ /status/ //status /Status /status.json /stat /?/status /%73tatus /metrics /livez /buildinfo".split(' ')
    {
        let response = server.get(path);
        response.assert_problem(404);
        assert!(!response.has_header("allow"));
    }
    server.request("POST", "/").assert_problem(404);
}

#[test]
fn query_is_ignored() {
    let server = TestServer::start();
    for target in [
        "/status?",
        "/status?a=b",
        "/status?a=/status?",
        "/status?/",
        "/status?a=ü",
    ] {
        server.get(target).assert_is(200, &body());
    }
}
