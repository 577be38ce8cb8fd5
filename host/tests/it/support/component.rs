//! Components: the one of the build, and others written as text, for behaviour that no compiler produces.

use std::path::{Path, PathBuf};

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldId};

/// The export of a core module that handles requests.
pub const HANDLE: &str = r#"func (export "wasi:http/incoming-handler@0.2.12#handle") (param i32 i32)"#;

/// A core module that traps on every request.
pub fn trap() -> String {
    format!("(module (memory (export \"memory\") 1) ({HANDLE} unreachable))")
}

/// A core module that computes forever on every request.
pub fn spin() -> String {
    format!("(module (memory (export \"memory\") 1) ({HANDLE} (loop (br 0))))")
}

/// A component of the world `status` whose core module is `module`.
#[track_caller]
pub fn component(module: &str) -> Vec<u8> {
    let (resolve, world) = world();
    let mut module = wat::parse_str(module).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
    let mut encoder = ComponentEncoder::default();
    encoder.module(&module).unwrap().validate(true).encode().unwrap()
}

/// The world `status`.
pub fn world() -> (Resolve, WorldId) {
    let mut resolve = Resolve::default();
    let wit = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit");
    let (package, _) = resolve.push_dir(wit).unwrap();
    let world = resolve.select_world(&[package], Some("status")).unwrap();
    (resolve, world)
}

/// The portable component that the build of the binary writes.
pub fn portable_component() -> PathBuf {
    // The binary is in the folder of its profile, and that is in cargo's target directory.
    let binary = Path::new(env!("CARGO_BIN_EXE_status-host"));
    binary.ancestors().nth(2).unwrap().join("component.wasm")
}
