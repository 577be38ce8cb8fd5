//! Builds the component with `APP_VERSION` and `COMMIT_SHA` compiled in: `target/component-standalone.wasm`.

#[path = "../../../host/build/component.rs"]
mod component;

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use component::ComponentSpec;

const VARIABLES: [&str; 2] = ["APP_VERSION", "COMMIT_SHA"];

/// Maximum length of a value, in bytes. The host has the same rule.
const MAX_BYTES: usize = 256;

fn main() -> Result<(), Box<dyn Error>> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let values = [value(VARIABLES[0])?, value(VARIABLES[1])?];
    let component = ComponentSpec {
        workspace: &workspace,
        package: "status-component",
        features: "standalone",
        variables: &[(VARIABLES[0], &values[0]), (VARIABLES[1], &values[1])],
        target_dir: &workspace.join("target/guest"),
    }
    .build()?;
    fs::write(workspace.join("target/component-standalone.wasm"), component)?;
    Ok(())
}

fn value(name: &str) -> Result<String, Box<dyn Error>> {
    let value = env::var(name).map_err(|error| format!("`{name}`: {error}"))?;
    if value.is_empty() || value.len() > MAX_BYTES || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("`{name}` is {value:?}; set it to 1 to {MAX_BYTES} visible ASCII characters").into());
    }
    Ok(value)
}
