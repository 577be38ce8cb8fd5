//! The commands beside serving, and what the command line tells of itself.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::{fs, thread};

use serde_json::Value;
use sha2::{Digest, Sha256};
use support::{Service, assert_refused, run, status_host};

fn stdout(arguments: &[&str]) -> String {
    let output = run(arguments, &[]);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn version_tells_the_host_and_the_runtime() {
    let version = stdout(&["--version"]);
    let (host, runtime) = version.trim_end().split_once(" (wasmtime ").unwrap();
    assert_eq!(host, concat!("status-host ", env!("CARGO_PKG_VERSION")));
    assert!(runtime.starts_with("48.") && runtime.ends_with(')'), "{runtime}");
}

#[test]
fn help_tells_every_option_with_its_default_and_variable() {
    let help = stdout(&["--help"]);
    for part in [
        "--listen <ADDRESS:PORT>",
        "[env: LISTEN]",
        "[default: 0.0.0.0:5000]",
        "--component <FILE>",
        "[env: COMPONENT]",
        "inspect",
        "healthcheck",
        "APP_VERSION and COMMIT_SHA",
        "--lockdown <MODE>",
        "--request-timeout <TIME>",
        "--max-memory <SIZE>",
        "--max-concurrency <COUNT>",
        "--client-timeout <TIME>",
        "--idle-timeout <TIME>",
        "--max-body <SIZE>",
        "--max-connections <COUNT>",
        "--drain-delay <TIME>",
        "--drain-timeout <TIME>",
        "--admin <ADDRESS:PORT>",
        "[env: ADMIN]",
        "[default: 127.0.0.1:9090]",
        "--access-log <SHARE>",
        "--log-level <LEVEL>",
        "[env: RUST_LOG]",
        "--log-format <FORMAT>",
        "--google-cloud-project <PROJECT>",
    ] {
        assert!(help.contains(part), "no `{part}` in {help}");
    }
    assert!(help.ends_with('\n'));
    // Those above, all of them.
    let options = help.lines().filter(|line| line.trim_start().starts_with("--")).count();
    assert_eq!(options, 17, "{help}");
}

#[test]
fn inspect_tells_the_embedded_component() {
    let text = stdout(&["inspect"]);
    let report: Value = serde_json::from_str(&stdout(&["inspect", "--json"])).unwrap();
    assert_eq!(report["component"], "embedded");
    let portable = fs::read(support::portable_component()).unwrap();
    assert_eq!(report["sha256"], format!("{:x}", Sha256::digest(&portable)));
    assert_eq!(
        report["granted"]["variables"],
        serde_json::json!(["APP_VERSION", "COMMIT_SHA"])
    );
    assert!(
        report["imports"]
            .as_array()
            .unwrap()
            .iter()
            .all(|import| import["granted"] == true)
    );
    for part in [
        "embedded",
        report["sha256"].as_str().unwrap(),
        "wasi:http/incoming-handler@0.2.12",
        "COMMIT_SHA",
    ] {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
    assert!(!text.contains("refused"));
}

#[test]
fn inspect_tells_another_component() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("greedy.wasm");
    let bytes = wat::parse_str(r#"(component (import "wasi:random/random@0.2.0" (instance)))"#).unwrap();
    fs::write(&file, &bytes).unwrap();
    let file = file.to_str().unwrap();
    let report: Value = serde_json::from_str(&stdout(&["inspect", "--json", "--component", file])).unwrap();
    assert_eq!(report["component"], file);
    assert_eq!(report["sha256"], format!("{:x}", Sha256::digest(&bytes)));
    assert_eq!(
        report["imports"],
        serde_json::json!([{"name": "wasi:random/random@0.2.0", "granted": false}])
    );
    assert!(stdout(&["inspect", "--component", file]).contains("wasi:random/random@0.2.0  (refused)"));
}

#[test]
fn a_report_that_cannot_be_printed_is_told() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = status_host().arg("inspect").stdout(full).output().unwrap();
    assert_refused(&output, 1, &["cannot print", "No space left"]);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    for argument in ["inspect", "--help"] {
        let mut child = status_host().arg(argument).stdout(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        assert!(child.wait().unwrap().success(), "{argument}");
    }
}

#[test]
fn an_option_of_another_command_is_refused() {
    assert_refused(&run(&["inspect", "--listen", "127.0.0.1:0"], &[]), 2, &["--listen"]);
    assert_refused(&run(&["healthcheck", "--component", "x"], &[]), 2, &["--component"]);
    let unused = run(&["inspect"], &[("LISTEN", OsStr::new("nonsense"))]);
    assert!(unused.status.success(), "{unused:?}");
}

#[test]
fn what_compile_writes_is_served() {
    let directory = tempfile::tempdir().unwrap();
    let compiled = directory.path().join("probe.cwasm");
    let compiled = compiled.to_str().unwrap();
    assert_eq!(stdout(&["compile", probe_artifact::PATH, compiled]), "");
    let service = Service::start_with_options(&["--component", compiled]);
    assert_eq!(service.get("/count").text(), "1");
    service.finish();

    let refused = run(&["compile", probe_artifact::PATH, "/missing/file"], &[]);
    assert_refused(&refused, 1, &["cannot write the compiled component"]);
    assert_refused(
        &run(&["compile", "/missing/file", compiled], &[]),
        2,
        &["/missing/file"],
    );
}

#[test]
fn inspect_needs_no_variable() {
    let output = status_host()
        .env_remove("APP_VERSION")
        .env_remove("COMMIT_SHA")
        .arg("inspect")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn healthcheck_tells_a_healthy_service() {
    let service = Service::start();
    let port = service.address.port();
    for listen in [service.address.to_string(), format!("0.0.0.0:{port}")] {
        let output = run(&["healthcheck"], &[("LISTEN", OsStr::new(&listen))]);
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    }
    service.finish();
}

#[test]
fn healthcheck_knows_the_local_address_of_version_6() {
    let mut command = status_host();
    command.args(["--listen", "[::]:0"]);
    let service = Service::start_with(command);
    let listen = format!("[::]:{}", service.address.port());
    assert!(run(&["healthcheck", "--listen", &listen], &[]).status.success());
    service.finish();
}

#[test]
fn healthcheck_tells_a_service_that_fails() {
    for (answer, reason) in [
        (
            &b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"[..],
            "it answers 500",
        ),
        (b"nonsense\r\n\r\n", "is not healthy"),
        (b"", "is not healthy"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            assert_ne!(stream.read(&mut [0; 1024]).unwrap(), 0);
            stream.write_all(answer).unwrap();
        });
        assert_refused(
            &run(&["healthcheck", "--listen", &address], &[]),
            1,
            &[&address, reason],
        );
        server.join().unwrap();
    }
}

#[test]
fn healthcheck_tells_a_service_that_is_silent_or_gone() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    assert_refused(
        &run(&["healthcheck", "--listen", &address], &[]),
        1,
        &["no answer within 3 s"],
    );
    drop(listener);
    assert_refused(&run(&["healthcheck", "--listen", &address], &[]), 1, &["refused"]);
    assert_refused(&run(&["healthcheck", "--listen", "127.0.0.1:0"], &[]), 2, &["port 0"]);
}
