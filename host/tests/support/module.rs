//! Components made of text, for what no compiler would make.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

/// A component of the world `status` whose core module is `module`.
pub fn component(module: &str) -> Vec<u8> {
    let mut resolve = wit_parser::Resolve::default();
    let wit = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit");
    let (package, _) = resolve.push_dir(wit).unwrap();
    let world = resolve.select_world(&[package], Some("status")).unwrap();
    let mut module = wat::parse_str(module).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let encoder = ComponentEncoder::default().module(&module).unwrap();
    encoder.validate(true).encode().unwrap()
}

/// The handler of a core module.
pub const HANDLE: &str = r#"func (export "wasi:http/incoming-handler@0.2.12#handle") (param i32 i32)"#;
