//! Builds the crate `probe` as a component.

#![allow(clippy::print_stdout, reason = "this is how a build script speaks to cargo")]

#[path = "../../build/guest.rs"]
mod guest;
#[path = "../../build/script.rs"]
mod script;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

fn main() -> ExitCode {
    script::report(build())
}

fn build() -> Result<(), Box<dyn Error>> {
    let variable = |name| env::var_os(name).ok_or_else(|| format!("{name} is not set"));
    let workspace = Path::new(&variable("CARGO_MANIFEST_DIR")?)
        .join("../../..")
        .canonicalize()?;
    let out = PathBuf::from(variable("OUT_DIR")?);
    let component = script::component(&workspace, "host/tests/probe", "probe", &out)?;
    fs::write(out.join("probe.wasm"), component)?;
    Ok(())
}
