//! Builds the crate `probe` as a component.

#![allow(clippy::print_stdout, reason = "cargo reads its instructions from stdout")]

#[path = "../../build/component.rs"]
mod component;
#[path = "../../build/script.rs"]
mod script;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

fn main() -> ExitCode {
    script::exit_code(build())
}

fn build() -> Result<(), Box<dyn Error>> {
    let variable = |name| env::var_os(name).ok_or_else(|| format!("{name} is not set"));
    let workspace = Path::new(&variable("CARGO_MANIFEST_DIR")?)
        .join("../../..")
        .canonicalize()?;
    let out_dir = PathBuf::from(variable("OUT_DIR")?);
    let component = script::build_component(&workspace, "host/tests/probe", "probe", &out_dir)?;
    fs::write(out_dir.join("probe.wasm"), component)?;
    Ok(())
}
