//! Files that are not a component, or not one for this host.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::Path;

use wasmtime::{Config, Engine, ModuleVersionStrategy};

use crate::support::component::compiled_probe;
use crate::support::seccomp::without_executable_memory;
use crate::support::{assert_refused, run};

/// Checks that the file is refused by the server and by `inspect`.
#[track_caller]
fn assert_file_refused(file: &Path, reason: &str) {
    let file = file.to_str().unwrap();
    let arguments = ["--allow-precompiled", "--component", file];
    let output = run(&[&["--listen", "127.0.0.1:0"], &arguments[..]].concat(), &[]);
    assert_refused(&output, 2, &[file, reason]);
    // `inspect` shows what a component lacks.
    if reason != "does not export" {
        let output = run(&[&["inspect"], &arguments[..]].concat(), &[]);
        assert_refused(&output, 2, &[file, reason]);
    }
}

#[test]
fn machine_code_is_refused_unless_it_is_allowed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("component.wasm");
    fs::copy(compiled_probe(), &file).unwrap();
    let file = file.to_str().unwrap();
    let parts = [
        file,
        "is precompiled",
        "use a portable component, or add --allow-precompiled",
    ];
    for arguments in [
        &["--listen", "127.0.0.1:0", "--component", file][..],
        &["inspect", "--component", file],
        &["compile", file, "/dev/null"],
    ] {
        assert_refused(&run(arguments, &[]), 2, &parts);
        let denied = [("ALLOW_PRECOMPILED", OsStr::new("false"))];
        assert_refused(&run(arguments, &denied), 2, &parts);
    }
    let allowed = [("ALLOW_PRECOMPILED", OsStr::new("true"))];
    assert!(run(&["inspect", "--component", file], &allowed).status.success());
    let unclear = [("ALLOW_PRECOMPILED", OsStr::new("perhaps"))];
    assert_refused(&run(&["inspect"], &unclear), 2, &["--allow-precompiled", "--help"]);
}

#[test]
fn file_that_is_not_a_component_is_refused() {
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
        ("truncated.wasm", &portable[..portable.len() / 2], "cannot compile"),
        ("magic.wasm", &portable[..8], "does not export"),
        ("short.wasm", &portable[..7], "is not a WebAssembly component"),
        ("text.wasm", b"#!/bin/sh\n", "is not a WebAssembly component"),
    ];
    for (name, content, reason) in files {
        let file = directory.path().join(name);
        fs::write(&file, content).unwrap();
        assert_file_refused(&file, reason);
    }
}

#[test]
fn unreadable_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing.wasm");
    assert_file_refused(&missing, "No such file or directory");
    assert_file_refused(directory.path(), "is a directory");
    assert_file_refused(Path::new("/dev/zero"), "it is not a regular file");
    let huge = directory.path().join("huge.wasm");
    File::create(&huge).unwrap().set_len(64 * 1024 * 1024 + 1).unwrap();
    assert_file_refused(&huge, "it is larger than 67108864 bytes");
    let output = run(&[], &[("COMPONENT", OsStr::new(""))]);
    assert_refused(&output, 2, &["cannot read the component ``"]);
}

#[test]
fn component_over_the_memory_reservation_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("large.wasm");
    let text = "(component (core module $m (memory 257)) (core instance (instantiate $m)))";
    fs::write(&file, wat::parse_str(text).unwrap()).unwrap();
    assert_file_refused(&file, "at most 16 MiB of memory");
}

#[test]
fn component_compiled_for_another_runtime_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("component.cwasm");
    let portable = fs::read(probe_artifact::PATH).unwrap();
    let compile = |config: &Config| {
        let engine = Engine::new(config).unwrap();
        fs::write(&file, engine.precompile_component(&portable).unwrap()).unwrap();
    };
    let mut other_version = Config::new();
    let version = ModuleVersionStrategy::Custom("47".to_owned());
    other_version.module_version(version).unwrap();
    compile(&other_version);
    assert_file_refused(&file, "incompatible version '47'");

    let mut other_settings = Config::new();
    other_settings.consume_fuel(true);
    compile(&other_settings);
    assert_file_refused(&file, "was compiled for another runtime or machine");
}

#[test]
fn denied_executable_memory_is_reported() {
    let compiled = compiled_probe();
    for arguments in [
        &["inspect"][..],
        &["inspect", "--allow-precompiled", "--component", compiled],
        &["inspect", "--component", probe_artifact::PATH],
    ] {
        let output = without_executable_memory(|| run(arguments, &[]));
        let parts = ["executable: ", "Operation not permitted", "MemoryDenyWriteExecute=no"];
        assert_refused(&output, 1, &parts);
    }
}

#[test]
fn truncated_compiled_component_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("component.cwasm");
    let output = run(&["compile", probe_artifact::PATH, file.to_str().unwrap()], &[]);
    assert!(output.status.success(), "{output:?}");
    let compiled = fs::read(&file).unwrap();
    for length in [64, compiled.len() / 2, compiled.len() - 1] {
        fs::write(&file, &compiled[..length]).unwrap();
        let reason = "the file is truncated or corrupt; compile it again with `status-host compile`";
        assert_file_refused(&file, reason);
    }
}

#[test]
fn compiled_core_module_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("module.cwasm");
    let module = wat::parse_str("(module)").unwrap();
    fs::write(&file, Engine::default().precompile_module(&module).unwrap()).unwrap();
    assert_file_refused(&file, "is a core module");
}
