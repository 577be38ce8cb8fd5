//! What the build scripts share that build a component.

use std::env;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use crate::guest::{self, Guest};

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

/// Builds `package`, the crate in `folder` of `workspace`, again when that changes.
pub(crate) fn component(workspace: &Path, folder: &str, package: &str, out: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    for input in [folder, "wit", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", workspace.join(input).display());
    }
    guest::build(&Guest {
        workspace,
        package,
        features: "",
        variables: &[],
        target_directory: &target_directory(out)?.join("guest"),
    })
}

/// Cargo's own target directory, from `out`: `<target directory>/[<target>/]<profile>/build/<package>/out`.
pub(crate) fn target_directory(out: &Path) -> Result<&Path, Box<dyn Error>> {
    let target = env::var_os("TARGET").ok_or("TARGET is not set")?;
    let above = out.ancestors().nth(4).filter(|above| above.is_absolute());
    let above = above.ok_or_else(|| format!("OUT_DIR `{}` is not where cargo puts it", out.display()))?;
    Ok(above.parent().filter(|_| above.ends_with(target)).unwrap_or(above))
}
