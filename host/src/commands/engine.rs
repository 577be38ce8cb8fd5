//! The engine, with the remedy for its one failure.

use std::io;

use wasmtime::Engine;

use crate::error::Error;
use crate::sandbox;

/// An engine with a pool of `instances`.
pub(super) fn engine(instances: u32) -> Result<Engine, Error> {
    let engine = sandbox::engine(instances).map_err(|error| io::Error::other(format!("{error:#}")));
    engine.map_err(Error::os(
        "reserve the memory of the instance pool",
        "raise the limit of address space (ulimit -v), or lower --max-concurrency",
    ))
}
