//! Every row of the contract of `/status`, against the real binary over a real socket.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use support::{COMMIT, Service, VERSION};

fn body() -> String {
    format!(
        r#"{{"myapplication":[{{"version":"{VERSION}","lastcommitsha":"{COMMIT}","description":"pre-interview technical test"}}]}}"#
    )
}

#[test]
fn get_tells_version_and_commit() {
    let service = Service::start();
    let response = service.get("/status");
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), "application/json");
    assert_eq!(response.text(), body());
    response.assert_guarded();
    service.finish();
}

#[test]
fn head_is_get_without_the_body() {
    let service = Service::start();
    let (get, head) = (service.get("/status"), service.request("HEAD", "/status"));
    assert_eq!(head.status, 200);
    assert!(head.body.is_empty());
    let but_date = |headers: &[(String, String)]| -> Vec<_> {
        headers.iter().filter(|(name, _)| name != "date").cloned().collect()
    };
    assert_eq!(but_date(&head.headers), but_date(&get.headers));
    let missing = service.request("HEAD", "/");
    assert_eq!(missing.status, 404);
    assert!(missing.body.is_empty());
    missing.assert_guarded();
    service.finish();
}

#[test]
fn another_method_is_not_allowed() {
    let service = Service::start();
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", "get"] {
        let response = service.request(method, "/status");
        response.assert_problem(405);
        assert_eq!(response.header("allow"), "GET, HEAD");
    }
    service.finish();
}

#[test]
fn another_path_is_not_found() {
    let service = Service::start();
    for path in [
        "/",
        "/status/",
        "//status",
        "/Status",
        "/status.json",
        "/stat",
        "/?/status",
        "/%73tatus",
    ] {
        let response = service.get(path);
        response.assert_problem(404);
        assert!(!response.has_header("allow"));
    }
    service.request("POST", "/").assert_problem(404);
    service.finish();
}

#[test]
fn a_query_is_ignored() {
    let service = Service::start();
    for target in ["/status?", "/status?a=b", "/status?a=/status?", "/status?/"] {
        let response = service.get(target);
        assert_eq!((response.status, response.text()), (200, body().as_str()), "{target}");
    }
    service.finish();
}

#[test]
fn values_are_told_as_they_are() {
    let mut command = support::status_host();
    let (version, commit) = ("\"quotes\" \\ back", "<ü/\u{1f980}\u{2028}>");
    command.env("APP_VERSION", version).env("COMMIT_SHA", commit);
    let service = Service::start_with(command);
    let body: serde_json::Value = serde_json::from_slice(&service.get("/status").body).unwrap();
    assert_eq!(body["myapplication"][0]["version"], version);
    assert_eq!(body["myapplication"][0]["lastcommitsha"], commit);
    service.finish();
}

#[test]
fn a_connection_serves_one_request_after_another() {
    let service = Service::start();
    let mut stream = service.connect();
    for _ in 0..3 {
        let answer = support::get_on(&mut stream, "/status");
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with(&body()),
            "{answer}"
        );
    }
    service.finish();
}

#[test]
fn a_request_needs_one_valid_host() {
    let service = Service::start();
    for hosts in [
        "",
        "host: a\r\nhost: a\r\n",
        "host: a b\r\n",
        "host: \u{fc}\r\n",
        "host: user@a\r\n",
        "host: a:x\r\n",
        "host: a:65536\r\n",
        "host: a:+1\r\n",
        "host: :80\r\n",
        "host: []\r\n",
        "host: [zz]\r\n",
        "host:\r\n",
    ] {
        let response = service.send(format!("GET /status HTTP/1.1\r\n{hosts}\r\n"));
        response.assert_problem(400);
        assert_eq!(response.header("connection"), "close");
    }
    for host in ["a", "a:80", "[::1]:5000", "127.0.0.1"] {
        let request = format!("GET /status HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        assert_eq!(service.send(request).status, 200, "{host}");
    }
    for target in ["http://a:x/status", "http://user@a/status"] {
        let request = format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n");
        service.send(request).assert_problem(400);
    }
    let absolute = "GET http://a/status HTTP/1.1\r\nhost: b\r\nconnection: close\r\n\r\n";
    assert_eq!(service.send(absolute).status, 200);
    assert_eq!(
        service.send("GET /status HTTP/1.0\r\n\r\n").status,
        200,
        "HTTP/1.0 knows no Host"
    );
    service.finish();
}
