//! Bad input: one line on standard error that says what is wrong and what to do, and the right exit code.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::ffi::OsStr;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::{env, fs, io};

use status_host::error::Error;

use support::{assert_refused, not_utf8, run, status_host};

#[test]
fn a_variable_that_is_not_set_is_named() {
    for (removed, kept) in [("APP_VERSION", "COMMIT_SHA"), ("COMMIT_SHA", "APP_VERSION")] {
        let output = status_host().env_remove(removed).output().unwrap();
        assert_refused(&output, 2, &[&format!("`{removed}` is not set; set it to")]);
        assert!(!String::from_utf8_lossy(&output.stderr).contains(kept));
    }
    let output = status_host()
        .env_remove("APP_VERSION")
        .env_remove("COMMIT_SHA")
        .output()
        .unwrap();
    assert_refused(&output, 2, &["`APP_VERSION` is not set", "`COMMIT_SHA` is not set"]);
}

#[test]
fn a_variable_that_has_no_usable_value_is_named() {
    let long = "x".repeat(257);
    let not_utf8 = not_utf8();
    let cases: [(&OsStr, &str); 7] = [
        (OsStr::new(""), "is empty"),
        (OsStr::new(" "), "is empty"),
        (&not_utf8, "is not UTF-8"),
        (OsStr::new(&long), "has 257 bytes, of which 256 are allowed"),
        (OsStr::new("0.0.1\n"), "has the control character U+000A"),
        (OsStr::new("\u{1b}[31m"), "has the control character U+001B"),
        (OsStr::new("\u{85}"), "has the control character U+0085"),
    ];
    for name in ["APP_VERSION", "COMMIT_SHA"] {
        for (value, reason) in cases {
            assert_refused(
                &run(&[], &[(name, value)]),
                2,
                &[&format!("the variable `{name}` {reason}"), "set it to"],
            );
        }
    }
}

#[test]
fn the_longest_value_is_served() {
    let mut command = status_host();
    command.env("APP_VERSION", "x".repeat(256));
    let service = support::Service::start_with(command);
    assert!(service.get("/status").text().contains(&"x".repeat(256)));
    service.finish();
}

#[test]
fn an_address_that_does_not_parse_is_refused() {
    for address in [
        "",
        "5000",
        ":5000",
        "localhost:5000",
        "0.0.0.0",
        "0.0.0.0:65536",
        "0.0.0.0:x",
        "1.2.3:80",
    ] {
        let by_option = run(&["--listen", address], &[]);
        assert_refused(
            &by_option,
            2,
            &["is not valid; set --listen or LISTEN to", "such as 0.0.0.0:5000"],
        );
        let by_variable = run(&[], &[("LISTEN", OsStr::new(address))]);
        assert_refused(
            &by_variable,
            2,
            &["is not valid; set --listen or LISTEN to", "such as 0.0.0.0:5000"],
        );
    }
}

#[test]
fn an_unknown_option_is_refused() {
    assert_refused(&run(&["--port", "1"], &[]), 2, &["--port", "--help"]);
    assert_refused(&run(&["serve"], &[]), 2, &["serve", "--help"]);
    assert_refused(&run(&["--listen"], &[]), 2, &["--listen", "--help"]);
}

#[test]
fn a_limit_that_is_none_is_refused() {
    let limits: [(&str, &str, &[&str], &str); 9] = [
        (
            "--request-timeout",
            "REQUEST_TIMEOUT",
            &["", "1", "-1s", "x", "0s", "1us", "25h"],
            "1ms and 1day",
        ),
        ("--client-timeout", "CLIENT_TIMEOUT", &["", "0s", "1y"], "1ms and 1day"),
        (
            "--idle-timeout",
            "IDLE_TIMEOUT",
            &["0s", "999999999999999999999s", "2days"],
            "1ms and 1day",
        ),
        ("--drain-delay", "DRAIN_DELAY", &["", "1", "-1s", "25h"], "0s and 1day"),
        ("--drain-timeout", "DRAIN_TIMEOUT", &["0s", "1w"], "1ms and 1day"),
        (
            "--max-memory",
            "MAX_MEMORY",
            &["", "x", "-1", "65535", "16777217", "1TiB"],
            "64.0 KiB and 16.0 MiB",
        ),
        ("--max-body", "MAX_BODY", &["x", "-1", "1GiB"], "0 B and 64.0 MiB"),
        (
            "--max-concurrency",
            "MAX_CONCURRENCY",
            &["0", "x", "-1", "4097"],
            "1..=4096",
        ),
        (
            "--max-connections",
            "MAX_CONNECTIONS",
            &["0", "1.5", "1000001"],
            "1..=1000000",
        ),
    ];
    for (option, variable, values, range) in limits {
        for value in values {
            let by_option = run(&[&format!("{option}={value}")], &[]);
            assert_refused(&by_option, 2, &[option, "--help"]);
            let by_variable = run(&[], &[(variable, OsStr::new(value))]);
            assert_refused(&by_variable, 2, &[option, "--help"]);
        }
        let last = run(&[&format!("{option}={}", values.last().unwrap())], &[]);
        assert_refused(&last, 2, &[range]);
    }
    assert_refused(
        &run(&["--lockdown", "maybe"], &[]),
        2,
        &["--lockdown", "off, on, require, kill"],
    );
}

#[test]
fn what_the_runtime_would_read_is_not_read() {
    let mut command = status_host();
    command.env("TOKIO_WORKER_THREADS", "x");
    let service = support::Service::start_with(command);
    assert_eq!(service.get("/status").status, 200);
    service.finish();
}

#[test]
fn the_limits_of_the_limits_are_served() {
    let options = [
        "--request-timeout=1day",
        "--client-timeout=1day",
        "--idle-timeout=1ms",
        "--drain-timeout=1ms",
        "--max-memory=16MiB",
        "--max-body=0",
        "--max-concurrency=4096",
        "--max-connections=1000000",
    ];
    let service = support::Service::start_with_options(&options);
    assert_eq!(service.get("/status").status, 200);
    service.finish();
}

#[test]
fn an_address_that_cannot_be_had_is_refused() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    // TEST-NET-1 (RFC 5737): no machine has it.
    let foreign = "192.0.2.1:5000";
    let output = run(&["--listen", &taken], &[]);
    assert_refused(
        &output,
        1,
        &[&format!("cannot listen on `{taken}`"), "in use", "choose another port"],
    );
    drop(holder);
    let output = run(&["--listen", foreign], &[]);
    assert_refused(
        &output,
        1,
        &[&format!("cannot listen on `{foreign}`"), "with --listen 0.0.0.0"],
    );
}

#[test]
fn each_reason_not_to_listen_has_its_way_out() {
    let refusal = |kind| {
        let (address, cause) = (([0, 0, 0, 0], 80).into(), io::Error::from(kind));
        let option = "--listen";
        Error::Listen { option, address, cause }.to_string()
    };
    assert!(refusal(io::ErrorKind::PermissionDenied).contains("ports below 1024 need a privilege"));
    assert!(refusal(io::ErrorKind::AddrInUse).contains("stop the process that listens there"));
    assert!(refusal(io::ErrorKind::AddrNotAvailable).contains("this machine has no such address"));
    assert!(refusal(io::ErrorKind::Unsupported).contains("choose another address with --listen"));
}

#[test]
fn a_lack_of_resources_is_told() {
    // Kilobytes of address space, of which the sandbox needs more; and files, of which the threads do.
    for (limit, reason) in [
        ("ulimit -v 1000000", "reserve the memory of the sandbox"),
        ("ulimit -n 8", "start the threads"),
    ] {
        let script = format!(r#"{limit}; exec "$0" --listen 127.0.0.1:0"#);
        let mut shell = support::in_environment(Command::new("/bin/sh"));
        let output = shell
            .args(["-c", &script, env!("CARGO_BIN_EXE_status-host")])
            .output()
            .unwrap();
        assert_refused(&output, 1, &[&format!("cannot {reason}")]);
    }
}

#[test]
fn a_file_that_is_no_component_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let portable = fs::read(probe_artifact::PATH).unwrap();
    let module = wat::parse_str("(module)").unwrap();
    let files: [(&str, &[u8], &str); 6] = [
        ("empty.wasm", b"", "is empty"),
        (
            "module.wasm",
            &module,
            "is a core module, not a component; wrap it with `wasm-tools component new`",
        ),
        ("truncated.wasm", &portable[..portable.len() / 2], "cannot be compiled"),
        ("magic.wasm", &portable[..8], "does not export"),
        ("short.wasm", &portable[..7], "is not a WebAssembly component"),
        ("text.wasm", b"#!/bin/sh\n", "is not a WebAssembly component"),
    ];
    for (name, content, reason) in files {
        let file = directory.path().join(name);
        fs::write(&file, content).unwrap();
        refused(&file, reason);
    }
    refused(&directory.path().join("missing.wasm"), "No such file or directory");
    refused(directory.path(), "is a directory");
    refused(Path::new("/dev/zero"), "it is not a regular file");
    let huge = directory.path().join("huge.wasm");
    fs::File::create(&huge).unwrap().set_len(64 * 1024 * 1024 + 1).unwrap();
    refused(&huge, "it has more than 67108864 bytes");
    let output = run(&["inspect", "--component", "line\nend"], &[]);
    assert_refused(&output, 2, &["line\u{fffd}end"]);
    let output = run(&[], &[("COMPONENT", OsStr::new(""))]);
    assert_refused(&output, 2, &["cannot read the component ``"]);
    let output = run(&[], &[("LISTEN", &not_utf8())]);
    assert_refused(&output, 2, &["LISTEN"]);
}

#[test]
fn a_component_that_needs_more_than_there_is_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("large.wasm");
    let text = "(component (core module $m (memory 257)) (core instance (instantiate $m)))";
    fs::write(&file, wat::parse_str(text).unwrap()).unwrap();
    refused(&file, "no more than 16 MiB of memory");
}

#[test]
fn a_component_for_another_runtime_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("component.cwasm");
    let portable = fs::read(probe_artifact::PATH).unwrap();
    let compile = |config: &wasmtime::Config| {
        let engine = wasmtime::Engine::new(config).unwrap();
        fs::write(&file, engine.precompile_component(&portable).unwrap()).unwrap();
    };

    let mut other_version = wasmtime::Config::new();
    other_version
        .module_version(wasmtime::ModuleVersionStrategy::Custom("47".to_owned()))
        .unwrap();
    compile(&other_version);
    refused(&file, "incompatible version '47'");

    let mut other_settings = wasmtime::Config::new();
    other_settings.consume_fuel(true);
    compile(&other_settings);
    refused(&file, "was compiled for another runtime or machine");

    let compiled = run(&["compile", probe_artifact::PATH, file.to_str().unwrap()], &[]);
    assert!(compiled.status.success(), "{compiled:?}");
    let whole = fs::read(&file).unwrap();
    for length in [64, whole.len() / 2, whole.len() - 1] {
        fs::write(&file, &whole[..length]).unwrap();
        refused(&file, "cut short or broken; compile it anew with `status-host compile`");
    }
}

#[test]
fn a_precompiled_core_module_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("module.cwasm");
    let module = wasmtime::Engine::default()
        .precompile_module(&wat::parse_str("(module)").unwrap())
        .unwrap();
    fs::write(&file, module).unwrap();
    refused(&file, "is a core module");
}

fn refused(file: &Path, reason: &str) {
    let file = file.to_str().unwrap();
    for arguments in [
        &["--listen", "127.0.0.1:0", "--component", file][..],
        &["inspect", "--component", file],
    ] {
        // What a component lacks is for `inspect` to show, not to refuse.
        if arguments[0] == "inspect" && reason == "does not export" {
            continue;
        }
        assert_refused(&run(arguments, &[]), 2, &[file, reason]);
    }
}

/// The versions that are told in two places are one.
#[test]
fn the_crates_have_the_version_of_the_application() {
    let version = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../VERSION.txt")).unwrap();
    assert_eq!(version.trim(), env!("CARGO_PKG_VERSION"));
}
