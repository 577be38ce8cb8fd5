//! `status-host compile`: a component, compiled ahead of time for a host without a compiler.

use std::fs;
use std::path::Path;

use crate::error::Error;
use crate::sandbox;

/// Compiles the component in `file` for the baseline CPU of this host's target, and writes it to `output`.
///
/// # Errors
///
/// [`Error::Component`] for what is not a component, [`Error::System`] where `output` cannot be written.
pub fn run(file: &Path, output: &Path) -> Result<(), Error> {
    let code = sandbox::load(&sandbox::engine(1)?, Some(file))?.serialize()?;
    fs::write(output, code).map_err(Error::system("write the compiled component"))
}
