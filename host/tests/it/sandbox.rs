//! What a component can import, and what it cannot.

use std::path::PathBuf;
use std::{fs, thread};

use crate::support::component::{HANDLE, compiled_probe, component, world};
use crate::support::{COMMIT, TestServer, VERSION, assert_refused, connect, get_keep_alive, run, status_host};

#[test]
fn guest_environment_has_two_variables() {
    let mut command = status_host();
    command.args(["--allow-precompiled", "--component", compiled_probe()]);
    for name in ["SECRET", "PATH", "APP_VERSION_", "app_version"] {
        command.env(name, "value");
    }
    let server = TestServer::spawn(&mut command);
    let expected = format!("APP_VERSION={VERSION}\nCOMMIT_SHA={COMMIT}\n");
    server.get("/environment").assert_is(200, &expected);
}

#[test]
fn ten_thousand_requests_share_no_instance() {
    const CONNECTIONS: usize = 50;
    const REQUESTS: usize = 10_000;
    let server = TestServer::probe("");
    let address = server.address;
    thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let mut stream = connect(address);
                for _ in 0..REQUESTS / CONNECTIONS {
                    // An instance that is used again counts to 2.
                    get_keep_alive(&mut stream, "/count").assert_is(200, "1");
                }
            });
        }
    });
}

#[test]
fn unusual_response_is_forwarded() {
    let server = TestServer::probe("");
    assert_eq!(server.get("/no-content").status, 204);
    assert_eq!(server.get("/mebibyte").body.len(), 1024 * 1024);
    let head = server.request("HEAD", "/no-body-but-length");
    assert_eq!(head.header("content-length"), "8");
    server.get("/a?b").assert_is(200, "/a?b");
}

#[test]
fn allowed_imports_are_those_of_the_world() {
    let (resolve, world) = world();
    let imports = resolve.worlds[world].imports.keys();
    // The world uses a type of `wasi:clocks`, and no function.
    let mut imports: Vec<_> = imports
        .map(|key| resolve.name_world_key(key))
        .filter(|name| !name.starts_with("wasi:clocks/monotonic-clock@"))
        .collect();
    imports.sort();
    let mut allowed = status_host::sandbox::ALLOWED_IMPORTS.map(|name| format!("{name}@0.2.12"));
    allowed.sort();
    assert_eq!(imports, allowed);
}

/// Checks that the component `text` is refused.
#[track_caller]
fn assert_component_refused(text: &str, parts: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    let file: PathBuf = directory.path().join("refused.wasm");
    fs::write(&file, wat::parse_str(text).unwrap()).unwrap();
    let output = run(&["--listen", "127.0.0.1:0", "--component", file.to_str().unwrap()], &[]);
    assert_refused(&output, 2, &[&["refused.wasm"], parts].concat());
}

#[test]
fn forbidden_import_is_refused_by_name() {
    let imports = [
        ("wasi:filesystem/preopens@0.2.12", "get-directories"),
        ("wasi:sockets/instance-network@0.2.12", "instance-network"),
        ("wasi:clocks/monotonic-clock@0.2.12", "now"),
        ("wasi:clocks/wall-clock@0.2.12", "now"),
        ("wasi:random/random@0.2.12", "get-random-u64"),
        ("wasi:http/outgoing-handler@0.2.12", "handle"),
        ("wasi:cli/exit@0.2.12", "exit"),
        ("environment", "a"),
    ];
    let import = |(name, function)| format!(r#"(import "{name}" (instance (export "{function}" (func))))"#);
    for row in imports {
        let text = format!("(component {})", import(row));
        assert_component_refused(&text, &["has imports that are not allowed", row.0]);
    }
    let all = imports.map(import).concat();
    assert_component_refused(&format!("(component {all})"), &imports.map(|(name, _)| name));
}

#[test]
fn component_with_a_standard_library_is_refused_with_a_hint() {
    for (import, has_hint) in [
        ("wasi:cli/stderr@0.2.12", true),
        ("wasi:clocks/wall-clock@0.2.12", false),
    ] {
        let text = format!(r#"(component (import "{import}" (instance)))"#);
        let hint = "build Rust for `wasm32-unknown-unknown`, then `wasm-tools component new`";
        let reason = if has_hint {
            hint
        } else {
            "only interfaces of the world `status`"
        };
        assert_component_refused(&text, &[import, reason]);
    }
}

#[test]
fn component_of_wasi_0_3_is_refused() {
    for text in [
        r#"(component (import "wasi:http/types@0.3.0" (instance)))"#,
        r#"(component (instance $a) (export "wasi:http/handler@0.3.0" (instance $a)))"#,
        r#"(component (import "a" (func async)))"#,
        r#"(component (import "a" (func (result (future u8)))))"#,
        "(component (core func (canon backpressure.inc)))",
    ] {
        let parts = ["is built for WASI 0.3; this host serves `wasi:http/incoming-handler@0.2`"];
        assert_component_refused(text, &parts);
    }
}

#[test]
fn component_that_does_not_fit_the_world_is_refused() {
    for (text, reason) in [
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
            "does not match the world `status`",
        ),
        (
            r#"(component
                (import "wasi:io/poll@0.2.0" (func))
                (instance $handler)
                (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))"#,
            "does not match the world `status`",
        ),
        (
            r#"(component (instance $handler) (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))"#,
            "does not match the world `status`",
        ),
    ] {
        assert_component_refused(text, &[reason]);
    }
}

#[test]
fn client_functions_are_refused_by_name() {
    for (name, ty) in [
        ("[constructor]outgoing-request", "(param i32) (result i32)"),
        (
            "[method]outgoing-request.set-method",
            "(param i32 i32 i32 i32) (result i32)",
        ),
        ("[constructor]request-options", "(result i32)"),
        ("[method]future-incoming-response.subscribe", "(param i32) (result i32)"),
    ] {
        let import = format!(r#"(import "wasi:http/types@0.2.12" "{name}" (func {ty}))"#);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("client.wasm");
        let memory = r#"(memory (export "memory") 1)"#;
        fs::write(&file, component(&format!("(module {import} {memory} ({HANDLE}))"))).unwrap();
        let output = run(&["--listen", "127.0.0.1:0", "--component", file.to_str().unwrap()], &[]);
        let function = format!("wasi:http/types@0.2.12#{name};");
        assert_refused(
            &output,
            2,
            &["client.wasm", "functions that this host does not have", &function],
        );
    }
}
