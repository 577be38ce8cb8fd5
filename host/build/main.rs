//! Builds the component, compiles it ahead of time for the target's baseline CPU, and leaves three things behind:
//!
//! - `component.cwasm` in `OUT_DIR`, which the host embeds;
//! - `component.wasm` in cargo's target directory, the portable file;
//! - `COMPONENT_SHA256` (of the portable file), `TARGET` and `WASMTIME_VERSION`, as variables of the compilation.

#![allow(clippy::print_stdout, reason = "this is how a build script speaks to cargo")]

#[path = "../src/sandbox/engine_config.rs"]
mod engine_config;
mod guest;
#[path = "../src/sandbox/imports.rs"]
mod imports;
mod script;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;
use std::{env, fs};

use sha2::{Digest, Sha256};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    script::report(build())
}

fn build() -> Result<()> {
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=src/sandbox/engine_config.rs");
    println!("cargo::rerun-if-changed=src/sandbox/imports.rs");
    let workspace = Path::new(&variable("CARGO_MANIFEST_DIR")?).join("..").canonicalize()?;
    let out = PathBuf::from(variable("OUT_DIR")?);
    let target = variable("TARGET")?;

    let component = script::component(&workspace, "component", "status-component", &out)?;
    require_grant(&component)?;
    let code = wasmtime::Engine::new(&engine_config::engine_config(&target)?)?.precompile_component(&component)?;
    fs::write(out.join("component.cwasm"), code)?;
    publish(&component, &out)?;

    println!("cargo::rustc-env=COMPONENT_SHA256={:x}", Sha256::digest(&component));
    println!("cargo::rustc-env=TARGET={target}");
    println!(
        "cargo::rustc-env=WASMTIME_VERSION={}",
        locked_version(&workspace, "wasmtime")?
    );
    Ok(())
}

/// A component that the host would refuse to serve is not embedded.
fn require_grant(component: &[u8]) -> Result<()> {
    let decoded = wit_component::decode(component)?;
    let wit_component::DecodedWasm::Component(resolve, world) = decoded else {
        return Err("the component is a WIT package, and no component".into());
    };
    let world = resolve.worlds.get(world).ok_or("the component has no world")?;
    let imports = world.imports.keys().map(|key| resolve.name_world_key(key));
    let refused: Vec<_> = imports.filter(|name| !imports::is_allowed(name)).collect();
    if refused.is_empty() {
        return Ok(());
    }
    Err(format!("the component imports what is not granted: {}", refused.join(", ")).into())
}

/// Leaves the portable component at the top of cargo's target directory.
fn publish(component: &[u8], out: &Path) -> Result<()> {
    let path = script::target_directory(out)?.join("component.wasm");
    fs::write(&path, component)?;
    // Watched, so that a deleted file comes back; made old, because a newer one would mean a build each time.
    fs::File::options()
        .write(true)
        .open(&path)?
        .set_modified(SystemTime::UNIX_EPOCH)?;
    println!("cargo::rerun-if-changed={}", path.display());
    Ok(())
}

fn locked_version(workspace: &Path, package: &str) -> Result<String> {
    let lock = workspace.join("Cargo.lock");
    println!("cargo::rerun-if-changed={}", lock.display());
    let text = fs::read_to_string(&lock)?;
    let entry = format!("name = \"{package}\"\nversion = \"");
    let version = text.split_once(&entry).and_then(|(_, rest)| rest.split_once('"'));
    Ok(version
        .ok_or(format!("{} has no `{package}`", lock.display()))?
        .0
        .to_owned())
}

fn variable(name: &str) -> Result<String> {
    env::var(name).map_err(|error| format!("{name}: {error}").into())
}
