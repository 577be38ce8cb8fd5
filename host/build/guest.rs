//! Builds a crate of this workspace for `wasm32-unknown-unknown` and wraps it as a component.
//!
//! That target, unlike `wasm32-wasip2`, has no standard library that imports terminals, clocks and exits: a component
//! made of it asks for what its world names and for nothing else.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
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

/// Ends a build script: an error becomes a line of cargo's own.
pub(crate) fn report(result: Result<(), Box<dyn Error>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo::error={error}");
            ExitCode::FAILURE
        }
    }
}

/// Builds `package`, the crate in `folder` of `workspace`, and returns the component's bytes.
///
/// # Errors
///
/// When the target is not installed, the crate does not compile, or it is no component.
pub(crate) fn build(workspace: &Path, folder: &str, package: &str, out: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    for input in [folder, "wit", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", workspace.join(input).display());
    }
    require_target()?;
    // One for all guests, so that what they share is built once.
    let target_dir = target_directory(out)?.join("guest");
    let mut cargo = Command::new(env::var_os("CARGO").ok_or("CARGO is not set")?);
    cargo
        .args(["rustc", "--lib", "--locked", "--crate-type", "cdylib"])
        .args(["--release", "--target", TARGET])
        .args(["--package", package])
        .current_dir(workspace)
        .arg("--target-dir")
        .arg(&target_dir);
    for (name, _) in env::vars_os() {
        if OUTER.iter().any(|outer| name.to_string_lossy().starts_with(outer)) {
            cargo.env_remove(name);
        }
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", remapped(workspace)?);
    let status = cargo.status()?;
    if !status.success() {
        return Err(format!("building {package} for {TARGET} failed: {status}").into());
    }
    let file = package.replace('-', "_") + ".wasm";
    let module = fs::read(target_dir.join(TARGET).join("release").join(file))?;
    let encoder = wit_component::ComponentEncoder::default().validate(true);
    Ok(encoder.module(&module)?.encode()?)
}

/// Cargo's own target directory, from `out`: `<target directory>/[<target>/]<profile>/build/<package>/out`.
pub(crate) fn target_directory(out: &Path) -> Result<&Path, Box<dyn Error>> {
    let target = env::var_os("TARGET").ok_or("TARGET is not set")?;
    let above = out.ancestors().nth(4).filter(|above| above.is_absolute());
    let above = above.ok_or_else(|| format!("OUT_DIR `{}` is not where cargo puts it", out.display()))?;
    Ok(above.parent().filter(|_| above.ends_with(target)).unwrap_or(above))
}

/// Paths end up in panic messages; with these the component is the same wherever it is built.
fn remapped(workspace: &Path) -> Result<String, Box<dyn Error>> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo")));
    let home = home.ok_or("neither CARGO_HOME nor HOME is set")?;
    let from_to = [(home.as_path(), "/cargo"), (workspace, "/source")];
    let flags = from_to.map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
    Ok(flags.join("\u{1f}"))
}

fn require_target() -> Result<(), Box<dyn Error>> {
    let rustc = env::var_os("RUSTC").ok_or("RUSTC is not set")?;
    let query = ["--print", "target-libdir", "--target", TARGET];
    let libraries = Command::new(rustc).args(query).output()?.stdout;
    if Path::new(String::from_utf8(libraries)?.trim()).is_dir() {
        return Ok(());
    }
    Err(format!("the target {TARGET} is not installed; add it with `rustup target add {TARGET}`").into())
}
