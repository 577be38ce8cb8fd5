//! Builds a crate of this workspace as a WebAssembly component.
//!
//! The target is `wasm32-unknown-unknown`. There, unlike on `wasm32-wasip2`, the standard library imports nothing, so a
//! component imports only what its world names.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const TARGET: &str = "wasm32-unknown-unknown";

/// A module has one thread. The atomics in which `wit-bindgen` keeps handles become plain values before the optimizer
/// of the linker runs, which then removes destructors that are never called, and their imports.
const LOWER_ATOMICS: &str = "-Cpasses=lower-atomic";

/// Variables of the outer build, such as flags, lints and instrumentation, that must not affect the component.
const SCRUBBED_ENV_PREFIXES: [&str; 6] = [
    "CARGO_BUILD_",
    "CARGO_PROFILE_",
    "CARGO_TARGET_",
    "LLVM_PROFILE_FILE",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
];

/// The inputs of a component build.
pub(crate) struct ComponentSpec<'a> {
    pub(crate) workspace: &'a Path,
    pub(crate) package: &'a str,
    pub(crate) features: &'a str,
    /// Additional environment variables of the compiler.
    pub(crate) variables: &'a [(&'a str, &'a str)],
    /// Cargo's target directory. Components that share it share their dependencies.
    pub(crate) target_dir: &'a Path,
}

impl ComponentSpec<'_> {
    /// Builds the component and returns its bytes.
    ///
    /// # Errors
    ///
    /// If the target is not installed, the crate does not compile, or its module is not a valid component.
    pub(crate) fn build(&self) -> Result<Vec<u8>, Box<dyn Error>> {
        require_target()?;
        let status = self.cargo()?.status()?;
        if !status.success() {
            return Err(format!("building `{}` for {TARGET} failed: {status}", self.package).into());
        }
        let file = self.package.replace('-', "_") + ".wasm";
        let module = fs::read(self.target_dir.join(TARGET).join("release").join(file))?;
        let mut encoder = wit_component::ComponentEncoder::default();
        encoder.validate(true).module(&module)?;
        Ok(encoder.encode()?)
    }

    fn cargo(&self) -> Result<Command, Box<dyn Error>> {
        let mut cargo = Command::new(env::var_os("CARGO").ok_or("CARGO is not set")?);
        cargo
            .args(["rustc", "--lib", "--locked", "--crate-type", "cdylib"])
            .args(["--release", "--target", TARGET])
            .args(["--package", self.package, "--features", self.features])
            .current_dir(self.workspace)
            .arg("--target-dir")
            .arg(self.target_dir);
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if SCRUBBED_ENV_PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
                cargo.env_remove(&name);
            }
        }
        cargo.env("CARGO_ENCODED_RUSTFLAGS", compiler_flags(self.workspace)?);
        cargo.envs(self.variables.iter().copied());
        Ok(cargo)
    }
}

/// Compiler flags. The remaps remove local paths from panic messages. The component then depends neither on the folder
/// that it is built in, nor on the registry of its crates.
fn compiler_flags(workspace: &Path) -> Result<String, Box<dyn Error>> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo")));
    let registries = home.ok_or("neither CARGO_HOME nor HOME is set")?.join("registry/src");
    let mut flags = vec![
        LOWER_ATOMICS.to_owned(),
        format!("--remap-path-prefix={}=/source", workspace.display()),
    ];
    for registry in fs::read_dir(registries).into_iter().flatten() {
        flags.push(format!("--remap-path-prefix={}=/crates", registry?.path().display()));
    }
    Ok(flags.join("\u{1f}"))
}

fn require_target() -> Result<(), Box<dyn Error>> {
    let rustc = env::var_os("RUSTC").unwrap_or("rustc".into());
    let query = ["--print", "target-libdir", "--target", TARGET];
    let libraries = Command::new(rustc).args(query).output()?.stdout;
    if Path::new(String::from_utf8(libraries)?.trim()).is_dir() {
        return Ok(());
    }
    Err(format!("target {TARGET} is not installed; install it with `rustup target add {TARGET}`").into())
}
