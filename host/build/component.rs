//! Builds a crate of this workspace for `wasm32-unknown-unknown` and wraps it as a component.
//!
//! That target, unlike `wasm32-wasip2`, has no standard library that imports terminals, clocks and exits: a component
//! made of it asks for what its world names and for nothing else.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const TARGET: &str = "wasm32-unknown-unknown";

/// What an outer build sets for itself (instrumentation, lints, flags and profiles of its own) and must not leak into the
/// component, by the beginning of its name.
const OUTER: [&str; 6] = [
    "CARGO_BUILD_",
    "CARGO_PROFILE_",
    "CARGO_TARGET_",
    "LLVM_PROFILE_FILE",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
];

/// What is built, and where.
pub(crate) struct Guest<'a> {
    /// The folder of the workspace.
    pub(crate) workspace: &'a Path,
    /// The name of the crate.
    pub(crate) package: &'a str,
    /// Its features.
    pub(crate) features: &'a str,
    /// Variables that it is compiled with.
    pub(crate) variables: &'a [(&'a str, &'a str)],
    /// Cargo's target directory; one for all guests, so that what they share is built once.
    pub(crate) target_directory: &'a Path,
}

/// Builds a crate, and returns the bytes of the component.
///
/// # Errors
///
/// When the target is not installed, the crate does not compile, or it is no component.
pub(crate) fn build(guest: &Guest) -> Result<Vec<u8>, Box<dyn Error>> {
    let Guest { workspace, package, .. } = *guest;
    require_target()?;
    let mut cargo = Command::new(env::var_os("CARGO").ok_or("CARGO is not set")?);
    cargo
        .args(["rustc", "--lib", "--locked", "--crate-type", "cdylib"])
        .args(["--release", "--target", TARGET])
        .args(["--package", package, "--features", guest.features])
        .current_dir(workspace)
        .arg("--target-dir")
        .arg(guest.target_directory);
    for (name, _) in env::vars_os() {
        if OUTER.iter().any(|outer| name.to_string_lossy().starts_with(outer)) {
            cargo.env_remove(name);
        }
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", remapped(workspace)?);
    cargo.envs(guest.variables.iter().copied());
    let status = cargo.status()?;
    if !status.success() {
        return Err(format!("building {package} for {TARGET} failed: {status}").into());
    }
    let file = package.replace('-', "_") + ".wasm";
    let module = fs::read(guest.target_directory.join(TARGET).join("release").join(file))?;
    let encoder = wit_component::ComponentEncoder::default().validate(true);
    Ok(encoder.module(&module)?.encode()?)
}

/// Paths end up in panic messages; with these the component is the same wherever it is built, and wherever its crates
/// come from: a registry, a mirror, or a vendored folder. Of those that fit the last one counts.
fn remapped(workspace: &Path) -> Result<String, Box<dyn Error>> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo")));
    let registries = home.ok_or("neither CARGO_HOME nor HOME is set")?.join("registry/src");
    let mut crates = vec![workspace.join("vendor")];
    for registry in fs::read_dir(registries).into_iter().flatten() {
        crates.push(registry?.path());
    }
    let mut flags = vec![format!("--remap-path-prefix={}=/source", workspace.display())];
    flags.extend(
        crates
            .iter()
            .map(|from| format!("--remap-path-prefix={}=/crates", from.display())),
    );
    Ok(flags.join("\u{1f}"))
}

fn require_target() -> Result<(), Box<dyn Error>> {
    let rustc = env::var_os("RUSTC").unwrap_or("rustc".into());
    let query = ["--print", "target-libdir", "--target", TARGET];
    let libraries = Command::new(rustc).args(query).output()?.stdout;
    if Path::new(String::from_utf8(libraries)?.trim()).is_dir() {
        return Ok(());
    }
    Err(format!("the target {TARGET} is not installed; add it with `rustup target add {TARGET}`").into())
}
