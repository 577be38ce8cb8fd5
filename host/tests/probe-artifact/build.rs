//! Builds the crate `probe` as a component.

#![allow(clippy::print_stdout, reason = "this is how a build script speaks to cargo")]

#[path = "../../build/guest.rs"]
mod guest;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..").canonicalize()?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let component = guest::build(&workspace, "host/tests/probe", "probe", &out)?;
    fs::write(out.join("probe.wasm"), component)?;
    Ok(())
}
