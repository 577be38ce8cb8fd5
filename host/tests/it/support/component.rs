//! Components written as text, for behaviour that no compiler produces.

use std::path::Path;
use std::sync::LazyLock;
use std::{fs, process};

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldId};

use super::run;

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

/// The export of a core module that handles requests.
pub const HANDLE: &str = r#"func (export "wasi:http/incoming-handler@0.2.12#handle") (param i32 i32)"#;

/// The file of the compiled probe. Compiling takes longer than most tests, so that all of them share it.
pub fn compiled_probe() -> &'static str {
    static FILE: LazyLock<String> = LazyLock::new(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (file, new) = (directory.join("probe.cwasm"), directory.join(process::id().to_string()));
        let output = run(&["compile", probe_artifact::PATH, new.to_str().unwrap()], &[]);
        assert!(output.status.success(), "{output:?}");
        // Another run of the tests may be using the file.
        fs::rename(new, &file).unwrap();
        file.to_str().unwrap().to_owned()
    });
    &FILE
}
