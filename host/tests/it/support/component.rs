//! Components written as text, for behaviour that no compiler produces.

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;
use std::{fs, process};

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldId};

use super::command::BINARY;

/// A component of the world `status` whose core module is `module`.
#[track_caller]
pub fn component(module: &str) -> Vec<u8> {
    encode(module, &world())
}

/// As [`component`], for another release of WASI.
#[track_caller]
pub fn component_of_release(module: &str, release: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    copy_release(Path::new(WIT), directory.path(), release);
    encode(module, &world_in(directory.path()))
}

/// Copies the WIT files in `from`, as they would be in `release`.
#[track_caller]
fn copy_release(from: &Path, to: &Path, release: &str) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy_release(&entry.path(), &target, release);
        } else if entry.path().extension().is_some_and(|extension| extension == "wit") {
            let text = fs::read_to_string(entry.path()).unwrap();
            // Without the annotations, which name later releases.
            let lines = text.lines().filter(|line| !line.trim_start().starts_with('@'));
            let text = lines.collect::<Vec<_>>().join("\n");
            fs::write(target, text.replace("0.2.12", release)).unwrap();
        }
    }
}

#[track_caller]
fn encode(module: &str, (resolve, world): &(Resolve, WorldId)) -> Vec<u8> {
    let mut module = wat::parse_str(module).unwrap();
    embed_component_metadata(&mut module, resolve, *world, StringEncoding::UTF8, false).unwrap();
    let mut encoder = ComponentEncoder::default();
    encoder.module(&module).unwrap().validate(true).encode().unwrap()
}

const WIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit");

/// The world `status`.
pub fn world() -> (Resolve, WorldId) {
    world_in(Path::new(WIT))
}

#[track_caller]
fn world_in(wit: &Path) -> (Resolve, WorldId) {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(wit).unwrap();
    let world = resolve.select_world(&[package], Some("status")).unwrap();
    (resolve, world)
}

/// The export of a core module that handles requests.
pub const HANDLE: &str = r#"func (export "wasi:http/incoming-handler@0.2.12#handle") (param i32 i32)"#;

/// The file of the probe, compiled for the binary under test. Compiling takes longer than most tests, so that all of
/// them share it.
pub fn compiled_probe() -> &'static str {
    static FILE: LazyLock<String> = LazyLock::new(|| {
        // The target of `STATUS_HOST`, which may have no compiler.
        let target = std::env::var("RUST_TARGET").ok().filter(|target| !target.is_empty());
        let options = target.as_ref().map_or(vec![], |target| vec!["--target", target]);
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let file = directory.join(format!("probe{}.cwasm", options.concat()));
        let new = directory.join(process::id().to_string());
        let mut compile = Command::new(BINARY);
        let output = compile
            .arg("compile")
            .args(options)
            .args([probe_artifact::PATH.as_ref(), new.as_path()])
            .output();
        let output = output.unwrap();
        assert!(output.status.success(), "{output:?}");
        // Another run of the tests may be using the file.
        fs::rename(new, &file).unwrap();
        file.to_str().unwrap().to_owned()
    });
    &FILE
}
