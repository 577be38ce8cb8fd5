//! Builds the component, compiles it ahead of time for the baseline CPU of the target, and provides:
//!
//! - `component.cwasm` in `OUT_DIR`, which the host embeds;
//! - `component.wasm`, the portable component, in cargo's target directory;
//! - `COMPONENT_SHA256` (of the portable component), `TARGET` and `WASMTIME_VERSION`, as variables of the compiler.

#![allow(clippy::print_stdout, reason = "cargo reads its instructions from stdout")]

mod component;
#[path = "../src/sandbox/engine_config.rs"]
mod engine_config;
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
    script::exit_code(build())
}

fn build() -> Result<()> {
    for input in ["build", "src/sandbox/engine_config.rs", "src/sandbox/imports.rs"] {
        println!("cargo::rerun-if-changed={input}");
    }
    let workspace = Path::new(&variable("CARGO_MANIFEST_DIR")?).join("..").canonicalize()?;
    let out_dir = PathBuf::from(variable("OUT_DIR")?);
    let target = variable("TARGET")?;

    let component = script::build_component(&workspace, "component", "status-component", &out_dir)?;
    check_imports(&component)?;
    let engine = wasmtime::Engine::new(&engine_config::engine_config(&target)?)?;
    fs::write(
        out_dir.join("component.cwasm"),
        engine.precompile_component(&component)?,
    )?;
    copy_to_target_dir(&component, &out_dir)?;

    println!("cargo::rustc-env=COMPONENT_SHA256={:x}", Sha256::digest(&component));
    println!("cargo::rustc-env=TARGET={target}");
    println!(
        "cargo::rustc-env=WASMTIME_VERSION={}",
        locked_version(&workspace, "wasmtime")?
    );
    Ok(())
}

/// Fails if the host would refuse the component because of its imports.
fn check_imports(component: &[u8]) -> Result<()> {
    let wit_component::DecodedWasm::Component(resolve, world) = wit_component::decode(component)? else {
        return Err("expected a component, found a WIT package".into());
    };
    let world = resolve.worlds.get(world).ok_or("the component has no world")?;
    let imports = world.imports.keys().map(|key| resolve.name_world_key(key));
    let forbidden: Vec<_> = imports.filter(|name| !imports::is_allowed(name)).collect();
    if forbidden.is_empty() {
        return Ok(());
    }
    Err(format!(
        "the component has imports that are not allowed: {}",
        forbidden.join(", ")
    )
    .into())
}

/// Writes the portable component to cargo's target directory.
fn copy_to_target_dir(component: &[u8], out_dir: &Path) -> Result<()> {
    let path = script::target_dir(out_dir)?.join("component.wasm");
    fs::write(&path, component)?;
    // Watching the file restores it when it is deleted. Its old time keeps cargo from rebuilding on every run.
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
        .ok_or_else(|| format!("{} does not list `{package}`", lock.display()))?
        .0
        .to_owned())
}

fn variable(name: &str) -> Result<String> {
    env::var(name).map_err(|error| format!("{name}: {error}").into())
}
