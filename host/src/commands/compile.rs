//! `status-host compile`: compiles a component ahead of time, for a host without a compiler.

use std::fs;
use std::path::Path;

use crate::error::Error;
use crate::sandbox;

/// Compiles the component in `file` for the baseline CPU of `target`, and writes it to `output`.
pub(super) fn run(file: &Path, output: &Path, target: &str) -> Result<(), Error> {
    let code = sandbox::compile(file, target)?;
    fs::write(output, code).map_err(Error::os(
        "write the compiled component",
        "name a file in a writable directory with free space",
    ))
}
