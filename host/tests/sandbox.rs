//! What a component gets, what it does not get, and what becomes of its failures.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::net::SocketAddr;
use std::{fs, thread};

use serde_json::Value;
use support::{COMMIT, Service, VERSION};

#[test]
fn the_environment_is_two_variables() {
    let mut command = support::status_host();
    command.args(["--component", probe_artifact::PATH]);
    command
        .env("SECRET", "key")
        .env("PATH", "/bin")
        .env("APP_VERSION_", "no")
        .env("app_version", "no");
    let service = Service::start_with(command);
    let environment = service.get("/environment");
    assert_eq!(
        environment.text(),
        format!("APP_VERSION={VERSION}\nCOMMIT_SHA={COMMIT}\n")
    );
    service.finish();
}

#[test]
fn ten_thousand_requests_share_no_instance() {
    const CONNECTIONS: usize = 64;
    const REQUESTS: usize = 10_000;
    let service = Service::start_probe(&[]);
    let address = service.address;
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|client| {
            let share = REQUESTS / CONNECTIONS + usize::from(client < REQUESTS % CONNECTIONS);
            thread::spawn(move || count_answers(address, share))
        })
        .collect();
    let answers: usize = clients.into_iter().map(|client| client.join().unwrap()).sum();
    assert_eq!(answers, REQUESTS);
    service.finish();
}

/// Asks for the count of an instance `requests` times on one connection, each of which must answer 1.
fn count_answers(address: SocketAddr, requests: usize) -> usize {
    let mut stream = support::connect(address);
    for _ in 0..requests {
        let answer = support::get_on(&mut stream, "/count");
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n1"),
            "{answer}"
        );
    }
    requests
}

#[test]
fn an_unusual_answer_is_passed_on() {
    let service = Service::start_probe(&[]);
    assert_eq!(service.get("/no-content").status, 204);
    assert_eq!(service.get("/mebibyte").body.len(), 1024 * 1024);
    assert_eq!(
        service.request("HEAD", "/no-body-but-length").header("content-length"),
        "8"
    );
    assert_eq!(service.get("/a?b").text(), "/a?b");
    service.finish();
}

#[test]
fn the_component_imports_what_it_needs_and_no_more() {
    let report = support::run(&["inspect", "--json"], &[]);
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    let imports = report["imports"].as_array().unwrap().iter();
    let mut imports: Vec<_> = imports.map(|import| import["name"].as_str().unwrap()).collect();
    imports.sort_unstable();
    let expected = [
        "wasi:cli/environment",
        "wasi:http/types",
        "wasi:io/error",
        "wasi:io/streams",
    ];
    assert_eq!(imports, expected.map(|name| format!("{name}@0.2.12")));
    assert_eq!(
        report["exports"],
        serde_json::json!(["wasi:http/incoming-handler@0.2.12"])
    );
}

/// The grant is the world: the same interfaces, but for `wasi:clocks`, of which the world has a type and no function.
#[test]
fn the_grant_is_the_world() {
    let mut resolve = wit_parser::Resolve::default();
    let wit = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit");
    let (package, _) = resolve.push_dir(wit).unwrap();
    let world = resolve.select_world(&[package], Some("status")).unwrap();
    let imports = resolve.worlds[world]
        .imports
        .keys()
        .map(|key| resolve.name_world_key(key));
    let mut imports: Vec<_> = imports
        .filter(|name| !name.starts_with("wasi:clocks/monotonic-clock@"))
        .collect();
    imports.sort();
    let mut granted = status_host::sandbox::INTERFACES.map(|name| format!("{name}@0.2.12"));
    granted.sort();
    assert_eq!(imports, granted);
}

#[test]
fn what_the_world_does_not_name_is_refused_by_name() {
    let requests = [
        (
            "wasi:filesystem/preopens@0.2.12",
            r#"(instance (export "get-directories" (func (result (list u32)))))"#,
        ),
        (
            "wasi:sockets/instance-network@0.2.12",
            r#"(instance (export "instance-network" (func (result u32))))"#,
        ),
        (
            "wasi:clocks/monotonic-clock@0.2.12",
            r#"(instance (export "now" (func (result u64))))"#,
        ),
        (
            "wasi:clocks/wall-clock@0.2.12",
            r#"(instance (export "now" (func (result u64))))"#,
        ),
        (
            "wasi:random/random@0.2.12",
            r#"(instance (export "get-random-u64" (func (result u64))))"#,
        ),
        (
            "wasi:http/outgoing-handler@0.2.12",
            r#"(instance (export "handle" (func)))"#,
        ),
        (
            "wasi:cli/exit@0.2.12",
            r#"(instance (export "exit" (func (param "status" u32))))"#,
        ),
        ("wasi:http/types@0.3.0", "(instance)"),
        ("environment", "(func)"),
    ];
    let directory = tempfile::tempdir().unwrap();
    let refused = |name: &str, imports: &str, expected: &[&str]| {
        let file = directory.path().join(name);
        fs::write(&file, wat::parse_str(format!("(component {imports})")).unwrap()).unwrap();
        let output = support::run(&["--listen", "127.0.0.1:0", "--component", file.to_str().unwrap()], &[]);
        support::assert_refused(&output, 2, expected);
    };
    for (name, ty) in requests {
        refused(
            "one.wasm",
            &format!(r#"(import "{name}" {ty})"#),
            &["imports what is not granted", name],
        );
    }
    let all: String = requests.map(|(name, ty)| format!(r#"(import "{name}" {ty})"#)).concat();
    refused("all.wasm", &all, &requests.map(|(name, _)| name));
}

#[test]
fn a_misfit_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let cases = [
        ("(component)", "does not export `wasi:http/incoming-handler@0.2`"),
        (
            r#"(component (import "wasi:io/poll@0.2.0" (instance (export "poll" (func)))))"#,
            "does not export",
        ),
        (
            r#"(component
                (import "wasi:io/poll@0.2.0" (instance (export "poll" (func))))
                (instance $handler)
                (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))"#,
            "does not fit the world `status`",
        ),
        (
            r#"(component (instance $handler) (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))"#,
            "does not fit the world `status`",
        ),
    ];
    for (text, reason) in cases {
        let file = directory.path().join("misfit.wasm");
        fs::write(&file, wat::parse_str(text).unwrap()).unwrap();
        let output = support::run(&["--listen", "127.0.0.1:0", "--component", file.to_str().unwrap()], &[]);
        support::assert_refused(&output, 2, &[reason, "misfit.wasm"]);
    }
}
