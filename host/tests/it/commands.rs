//! The subcommands, `--help` and `--version`.

use std::env::consts::ARCH;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Output, Stdio};
use std::thread;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{
    Process, TestServer, assert_refused, eventually, portable_component, run, status_host, wait_until,
};

#[track_caller]
fn stdout(arguments: &[&str]) -> String {
    let output = run(arguments, &[]);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn healthcheck(address: &str) -> Output {
    run(&["healthcheck", "--listen", address], &[])
}

#[test]
fn version_names_host_and_runtime() {
    let version = stdout(&["--version"]);
    let (host, runtime) = version.trim_end().split_once(" (wasmtime ").unwrap();
    assert_eq!(host, concat!("status-host ", env!("CARGO_PKG_VERSION")));
    assert!(runtime.starts_with("48.") && runtime.ends_with(')'), "{runtime}");
}

#[test]
fn help_shows_options_variables_and_defaults() {
    let help = stdout(&["--help"]);
    // That clap knows all of them is checked against docs/configuration.md.
    for part in [
        "--listen <ADDRESS:PORT>",
        "[env: LISTEN]",
        "$PORT, or 5000",
        "--max-memory <SIZE>",
        "[default: 8MiB]",
        "healthcheck",
        "APP_VERSION and COMMIT_SHA",
    ] {
        assert!(help.contains(part), "no `{part}` in {help}");
    }
    assert!(help.ends_with('\n') && !help.ends_with("\n\n"));
}

#[test]
fn inspect_describes_the_embedded_component() {
    let text = stdout(&["inspect"]);
    let report: Value = serde_json::from_str(&stdout(&["inspect", "--json"])).unwrap();
    let digest = format!("{:x}", Sha256::digest(fs::read(portable_component()).unwrap()));
    assert_eq!(report["component"], "embedded");
    assert_eq!(report["sha256"], digest);
    assert_eq!(report["guest_environment"], json!(["APP_VERSION", "COMMIT_SHA"]));
    let mut imports: Vec<_> = report["imports"].as_array().unwrap().iter().collect();
    imports.sort_by_key(|import| import["name"].to_string());
    let expected = ["cli/environment", "http/types", "io/error", "io/streams"]
        .map(|name| json!({"name": format!("wasi:{name}@0.2.12"), "allowed": true}));
    assert_eq!(imports, expected.iter().collect::<Vec<_>>());
    assert_eq!(report["exports"], json!(["wasi:http/incoming-handler@0.2.12"]));
    for part in ["embedded", &digest, "wasi:http/incoming-handler@0.2.12", "COMMIT_SHA"] {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
    assert!(!text.contains("not allowed"));
}

#[test]
fn inspect_describes_another_component() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("greedy.wasm");
    let bytes = wat::parse_str(r#"(component (import "wasi:random/random@0.2.0" (instance)))"#).unwrap();
    fs::write(&file, &bytes).unwrap();
    let file = file.to_str().unwrap();
    let report: Value = serde_json::from_str(&stdout(&["inspect", "--json", "--component", file])).unwrap();
    assert_eq!(report["component"], file);
    assert_eq!(report["sha256"], format!("{:x}", Sha256::digest(&bytes)));
    let expected = json!([{"name": "wasi:random/random@0.2.0", "allowed": false}]);
    assert_eq!(report["imports"], expected);
    assert!(stdout(&["inspect", "--component", file]).contains("wasi:random/random@0.2.0  (not allowed)"));
}

#[test]
fn inspect_needs_no_variable() {
    let mut command = status_host();
    command.env_remove("APP_VERSION").env_remove("COMMIT_SHA");
    let output = command.arg("inspect").output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn report_that_cannot_be_printed_is_an_error() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = status_host().arg("inspect").stdout(full).output().unwrap();
    assert_refused(&output, 1, &["cannot print the output", "No space left"]);
}

#[test]
fn closed_standard_output_is_no_error() {
    for argument in ["inspect", "--help"] {
        let mut process = Process::spawn(status_host().arg(argument).stdout(Stdio::piped()));
        drop(process.0.stdout.take());
        assert!(process.wait().success(), "{argument}");
    }
}

#[test]
fn error_that_cannot_be_printed_keeps_its_exit_code() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let status = status_host().arg("--nonsense").stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(2));
}

#[test]
fn option_of_another_command_is_refused() {
    assert_refused(&run(&["inspect", "--listen", "127.0.0.1:0"], &[]), 2, &["--listen"]);
    assert_refused(&run(&["healthcheck", "--component", "x"], &[]), 2, &["--component"]);
    let unused = run(&["inspect"], &[("LISTEN", OsStr::new("nonsense"))]);
    assert!(unused.status.success(), "{unused:?}");
}

#[test]
fn compiled_component_is_served() {
    let directory = tempfile::tempdir().unwrap();
    let compiled = directory.path().join("probe.cwasm");
    let compiled = compiled.to_str().unwrap();
    assert_eq!(stdout(&["compile", probe_artifact::PATH, compiled]), "");
    let server = TestServer::with_options(&format!("--allow-precompiled --component {compiled}"));
    server.get("/count").assert_is(200, "1");
}

#[test]
fn component_is_compiled_for_either_target() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("probe.cwasm");
    let compiled = file.to_str().unwrap();
    // The field e_machine of the ELF header.
    for (target, machine) in [("x86_64-unknown-linux-gnu", 62_u16), ("aarch64-unknown-linux-gnu", 183)] {
        stdout(&["compile", "--target", target, probe_artifact::PATH, compiled]);
        assert_eq!(fs::read(&file).unwrap()[18..20], machine.to_le_bytes());
        let output = run(&["inspect", "--allow-precompiled", "--component", compiled], &[]);
        if target.starts_with(ARCH) {
            assert!(output.status.success(), "{output:?}");
        } else {
            assert_refused(
                &output,
                2,
                &["was compiled for another runtime or machine", "compile it again"],
            );
        }
    }
    let output = run(
        &["compile", "--target", "wasm32-wasip2", probe_artifact::PATH, compiled],
        &[],
    );
    assert_refused(
        &output,
        2,
        &["wasm32-wasip2", "x86_64-unknown-linux-gnu, aarch64-unknown-linux-gnu"],
    );
}

#[test]
fn compile_refuses_missing_files() {
    let output = run(&["compile", probe_artifact::PATH, "/missing/file"], &[]);
    assert_refused(&output, 1, &["cannot write the compiled component"]);
    let output = run(&["compile", "/missing/file", "/missing/file"], &[]);
    assert_refused(&output, 2, &["/missing/file"]);
}

#[test]
fn healthcheck_succeeds_for_a_healthy_server() {
    let server = TestServer::with_options("--listen [::]:0");
    let port = server.address.port();
    // It waits for three seconds, in which a busy machine may not answer.
    for address in [
        format!("127.0.0.1:{port}"),
        format!("0.0.0.0:{port}"),
        format!("[::]:{port}"),
    ] {
        let output = eventually("the server is healthy", || {
            Some(healthcheck(&address)).filter(|output| output.status.success())
        });
        assert!(output.stderr.is_empty(), "{output:?}");
    }
    let variable = OsStr::new(&format!("127.0.0.1:{port}")).to_owned();
    wait_until("the server is healthy", || {
        run(&["healthcheck"], &[("LISTEN", &variable)]).status.success()
    });
    let variable = OsStr::new(&port.to_string()).to_owned();
    wait_until("the server is healthy", || {
        run(&["healthcheck"], &[("PORT", &variable)]).status.success()
    });
}

#[test]
fn healthcheck_reports_an_unhealthy_server() {
    for (answer, reason) in [
        (
            &b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"[..],
            "the response is 500",
        ),
        (b"nonsense\r\n\r\n", "is unhealthy"),
        (b"", "is unhealthy"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        thread::spawn(move || -> ! {
            loop {
                let mut stream = listener.accept().unwrap().0;
                // Both fail if the client has given up.
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(answer);
            }
        });
        let output = eventually("the server answers in time", || {
            Some(healthcheck(&address))
                .filter(|output| !String::from_utf8_lossy(&output.stderr).contains("no response within"))
        });
        assert_refused(&output, 1, &[&address, reason]);
    }
}

#[test]
fn healthcheck_reports_a_silent_or_missing_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    assert_refused(&healthcheck(&address), 1, &["no response within 3 s"]);
    // Another process may listen on the port of a listener that was closed, but not on this address.
    let address = crate::support::free_addr().to_string();
    assert_refused(&healthcheck(&address), 1, &["refused"]);
    assert_refused(&healthcheck("127.0.0.1:0"), 2, &["port 0"]);
}
