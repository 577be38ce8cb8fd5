//! Components written as text, for behaviour that no compiler produces.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldId};

/// A component of the world `status` whose core module is `module`.
#[track_caller]
pub fn component(module: &str) -> Vec<u8> {
    let (resolve, world) = world();
    let mut module = wat::parse_str(module).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let encoder = ComponentEncoder::default().module(&module).unwrap();
    encoder.validate(true).encode().unwrap()
}

/// The world `status`.
pub fn world() -> (Resolve, WorldId) {
    let mut resolve = Resolve::default();
    let wit = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit");
    let (package, _) = resolve.push_dir(wit).unwrap();
    let world = resolve.select_world(&[package], Some("status")).unwrap();
    (resolve, world)
}

/// The export of a core module that handles requests.
pub const HANDLE: &str = r#"func (export "wasi:http/incoming-handler@0.2.12#handle") (param i32 i32)"#;
