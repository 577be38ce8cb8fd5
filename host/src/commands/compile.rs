//! `status-host compile`: compiles a component ahead of time, for a host without a compiler.

use std::fs;
use std::path::Path;

use super::engine::{ADDRESS_SPACE, engine};
use crate::error::Error;
use crate::sandbox::{self, MachineCode};

/// Compiles the component in `file` for the baseline CPU of this host's target, and writes it to `output`.
pub(super) fn run(file: &Path, output: &Path) -> Result<(), Error> {
    let code = sandbox::load(&engine(Some(file), 1, ADDRESS_SPACE)?, Some(file), MachineCode::Denied)?.serialize()?;
    fs::write(output, code).map_err(Error::os(
        "write the compiled component",
        "name a file in a writable directory with free space",
    ))
}
