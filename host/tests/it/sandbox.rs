//! Which components the host loads.

use std::fs::{self, File};
use std::path::Path;

use status_host::sandbox::{self, LoadError, Sandbox};

use crate::guests::{LIMITS, environment, load_bytes};

/// Checks that a component is refused, when it is loaded or linked, with an error that contains these parts.
#[track_caller]
fn assert_refused(component: &[u8], parts: &[&str]) {
    let error = match load_bytes(component, LIMITS) {
        Ok(loaded) => Sandbox::new(&loaded, environment(), LIMITS).err().unwrap(),
        Err(error) => error,
    };
    let error = error.to_string();
    for part in parts {
        assert!(error.contains(part) && !error.contains('\n'), "no `{part}` in {error}");
    }
}

#[test]
fn forbidden_import_is_refused_by_name_with_a_remedy() {
    let imports = [
        ("wasi:filesystem/preopens@0.2.12", "standard library"),
        ("wasi:http/outgoing-handler@0.2.12", "this host sends no requests"),
        ("wasi:http/types@0.3.0", "build it for WASI 0.2"),
        ("a:b/c", "wac plug"),
    ];
    let import = |name| format!(r#"(import "{name}" (instance))"#);
    for (name, remedy) in imports {
        let component = wat::parse_str(format!("(component {})", import(name))).unwrap();
        assert_refused(&component, &["has imports that are not allowed", name, remedy]);
    }
    let names = imports.map(|(name, _)| name);
    let component = wat::parse_str(format!("(component {})", names.map(import).concat())).unwrap();
    assert_refused(&component, &names);
}

#[test]
fn forbidden_import_is_refused_before_compiling() {
    // The module is invalid, which the compiler would report. Imports of nested components do not count.
    let text = r#"(component
        (component (import "nested" (instance)))
        (core module (func (result i32)))
        (instance $handler) (export "wasi:http/incoming-handler@0.2.0" (instance $handler))
        (import "wasi:cli/exit@0.2.12" (instance)))"#;
    assert_refused(&wat::parse_str(text).unwrap(), &["not allowed: wasi:cli/exit@0.2.12; "]);
    let allowed = text.replace("wasi:cli/exit", "wasi:cli/environment");
    assert_refused(&wat::parse_str(allowed).unwrap(), &["cannot compile", "type mismatch"]);
}

#[test]
fn component_that_does_not_fit_the_world_is_refused() {
    let handler = r#"(instance $handler) (export "wasi:http/incoming-handler@0.2.0" (instance $handler))"#;
    let with_handler = |text| format!("{text} {handler}");
    let client = r#"(import "wasi:http/types@0.2.0" (instance (export "outgoing-request" (type (sub resource)))))"#;
    for (text, reason) in [
        (String::new(), "does not export `wasi:http/incoming-handler@0.2`"),
        (handler.to_owned(), "does not match the world `status`"),
        (with_handler(client), "resource implementation is missing"),
        (
            with_handler("(core func (canon backpressure.inc))"),
            "component model async",
        ),
    ] {
        assert_refused(&wat::parse_str(format!("(component {text})")).unwrap(), &[reason]);
    }
}

#[test]
fn file_that_is_not_a_component_is_refused() {
    let portable = fs::read(probe_artifact::PATH).unwrap();
    let machine_code = wasmtime::Engine::default().precompile_component(&portable).unwrap();
    let files: [(&[u8], &str); 5] = [
        (b"", "the file is empty"),
        (&wat::parse_str("(module)").unwrap(), "`wasm-tools component new`"),
        (&portable[..portable.len() / 2], "cannot compile"),
        (&portable[..8], "does not export"),
        (&machine_code, "is not a WebAssembly component"),
    ];
    for (content, reason) in files {
        assert_refused(content, &[reason]);
    }
}

#[test]
fn file_that_cannot_be_read_is_refused() {
    let engine = sandbox::engine(1).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing.wasm");
    let huge = directory.path().join("huge.wasm");
    File::create(&huge).unwrap().set_len(64 * 1024 * 1024 + 1).unwrap();
    for (file, reason) in [
        (missing.as_path(), "No such file or directory"),
        (directory.path(), "is a directory"),
        (Path::new("/dev/zero"), "it is not a regular file"),
        (&huge, "it is larger than 67108864 bytes"),
    ] {
        let error = sandbox::load(&engine, Some(file)).err().expect(reason);
        assert!(matches!(error, LoadError::Read(..)), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
}
