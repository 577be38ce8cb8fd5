//! The paths of the admin port.

use std::io::Write;
use std::net::Shutdown;

use crate::support::{COMMIT, Response, TestServer, VERSION, connect, read_to_close, run, send};

#[test]
fn serving_server_is_live_and_ready() {
    let server = TestServer::start();
    for path in ["/livez", "/readyz", "/livez?verbose"] {
        let response = server.admin_get(path);
        response.assert_is(200, "ok\n");
        assert_eq!(response.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(response.header("connection"), "close");
        response.assert_common_headers();
    }
}

#[test]
fn buildinfo_describes_host_and_component() {
    let server = TestServer::start();
    let response = server.admin_get("/buildinfo");
    assert_eq!(response.header("content-type"), "application/json");
    let build = response.json();
    assert_eq!(build["app_version"], VERSION);
    assert_eq!(build["commit_sha"], COMMIT);
    assert_eq!(build["component"], "embedded");
    assert_eq!(build["component_sha256"], server.start["sha256"]);
    assert_eq!(build.as_object().unwrap().len(), 6);
    let value = |name: &str| build[name].as_str().unwrap();
    let (host, wasmtime) = (value("host_version"), value("wasmtime_version"));
    let version = String::from_utf8(run(&["--version"], &[]).stdout).unwrap();
    assert_eq!(version, format!("status-host {host} (wasmtime {wasmtime})\n"));
    let series = format!(
        "status_host_build_info{{app_version=\"{VERSION}\",commit_sha=\"{COMMIT}\",host_version=\"{host}\",\
         wasmtime_version=\"{wasmtime}\",component_sha256=\"{}\"}}",
        value("component_sha256")
    );
    assert_eq!(server.metrics().count(&series), 1);
}

#[test]
fn unknown_path_or_method_is_rejected() {
    let server = TestServer::start();
    for path in ["/", "/status", "/metrics/", "/debug", "/env"] {
        assert_eq!(server.admin_get(path).status, 404, "{path}");
    }
    let admin = server.admin.unwrap();
    for method in ["POST", "DELETE", "OPTIONS", "TRACE"] {
        let response = send(admin, format!("{method} /readyz HTTP/1.1\r\nhost: a\r\n\r\n"));
        let allow = response.header("allow");
        assert_eq!((response.status, allow), (405, "GET, HEAD"), "{method}");
    }
    assert_eq!(send(admin, "nonsense\r\n\r\n").status, 400);
}

#[test]
fn head_response_has_no_content() {
    let server = TestServer::start();
    let head = send(server.admin.unwrap(), "HEAD /readyz HTTP/1.1\r\nhost: a\r\n\r\n");
    head.assert_is(200, "");
    assert_eq!(head.header("content-length"), "3");
}

#[test]
fn admin_paths_are_not_on_the_service_port() {
    let server = TestServer::start();
    for path in ["/metrics", "/livez", "/readyz", "/buildinfo"] {
        server.get(path).assert_problem(404);
    }
}

#[test]
fn half_closed_connection_is_answered() {
    let server = TestServer::start();
    // Many times: whether the server reads the request and the end of the stream at once is up to the kernel.
    for _ in 0..100 {
        let mut stream = connect(server.admin.unwrap());
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let response = Response::parse(&read_to_close(&mut stream));
        assert!(response.text().contains("process_cpu"));
    }
}

#[test]
fn metrics_format_is_negotiated() {
    let server = TestServer::start();
    let text = server.admin_get("/metrics");
    assert_eq!(text.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    text.assert_common_headers();
    let open = server.admin_get_with("/metrics", "accept: application/openmetrics-text; version=1.0.0\r\n");
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(open.header("content-type"), media_type);
    assert!(open.text().ends_with("# EOF\n"));
    // In OpenMetrics the name of a counter lacks the suffix of its series.
    for (text, suffix) in [(text.text(), "_total"), (open.text(), "")] {
        for name in [
            "status_host_http_requests",
            "status_host_connections_accepted",
            "status_host_accept_failures",
            "process_cpu_seconds",
            "status_host_guest_seconds",
        ] {
            let line = format!("# TYPE {name}{suffix} counter\n");
            assert_eq!(text.matches(&line).count(), 1, "{line} in {text}");
        }
    }
}
