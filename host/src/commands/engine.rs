//! What the commands share: the engine, with its error as an [`Error`], and `--allow-precompiled`.

use std::io;
use std::path::Path;

use wasmtime::Engine;

use crate::cli::ComponentArg;
use crate::error::Error;
use crate::sandbox::{self, MachineCode};

/// For a command with one instance.
pub(super) const ADDRESS_SPACE: &str = "raise the limit of address space (ulimit -v)";

/// An engine with a pool of `instances` of the component in `file`, or of the embedded one; `remedy` is for a lack of
/// address space.
pub(super) fn engine(file: Option<&Path>, instances: u32, remedy: &'static str) -> Result<Engine, Error> {
    let engine = match file {
        Some(_) => sandbox::engine(instances),
        None => sandbox::engine_for_embedded(instances),
    };
    let engine = engine.map_err(|error| io::Error::other(format!("{error:#}")));
    engine.map_err(Error::os("reserve the memory of the instance pool", remedy))
}

/// Whether the operator allows machine code.
pub(super) fn machine_code(component: &ComponentArg) -> MachineCode {
    if component.allow_precompiled {
        MachineCode::Allowed
    } else {
        MachineCode::Denied
    }
}
