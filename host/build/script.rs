//! Helpers for the build scripts that build a component.

use std::env;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use crate::component::ComponentSpec;

/// Reports an error to cargo and returns the exit code of the build script.
pub(crate) fn exit_code(result: Result<(), Box<dyn Error>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo::error={error}");
            ExitCode::FAILURE
        }
    }
}

/// Builds the component of `package`, and makes cargo run the build script again if an input changes.
///
/// `folder` is the folder of the package, relative to `workspace`.
pub(crate) fn build_component(
    workspace: &Path,
    folder: &str,
    package: &str,
    out_dir: &Path,
) -> Result<Vec<u8>, Box<dyn Error>> {
    for input in [folder, "wit", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", workspace.join(input).display());
    }
    let spec = ComponentSpec {
        workspace,
        package,
        features: "",
        variables: &[],
        target_dir: &target_dir(out_dir)?.join("guest"),
    };
    spec.build()
}

/// Returns cargo's target directory, given `OUT_DIR`: `<target directory>/[<target>/]<profile>/build/<package>/out`.
pub(crate) fn target_dir(out_dir: &Path) -> Result<&Path, Box<dyn Error>> {
    let target = env::var_os("TARGET").ok_or("TARGET is not set")?;
    let base = out_dir.ancestors().nth(4).filter(|base| base.is_absolute());
    let base = base.ok_or_else(|| format!("OUT_DIR `{}` is not a path made by cargo", out_dir.display()))?;
    Ok(base.parent().filter(|_| base.ends_with(target)).unwrap_or(base))
}
