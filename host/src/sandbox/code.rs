//! The settings that shape compiled code. The build script and the host share them: code compiled ahead of time loads
//! only into an engine that agrees on every one.

use wasmtime::{Config, Result};

/// Bytes of address space for one linear memory, and so the most that a component can have.
pub const MEMORY_RESERVATION: usize = 16 * 1024 * 1024;

/// Bytes behind each memory that trap when touched.
const MEMORY_GUARD: u64 = 64 * 1024;

/// Settings for an engine that compiles or loads code for `target`. That it is named, be it this machine's own, turns
/// the detection of CPU features off: the code runs on any machine of the target.
///
/// # Errors
///
/// When wasmtime does not know the target.
pub fn config(target: &str) -> Result<Config> {
    let mut config = Config::new();
    config.target(target)?;
    config
        .memory_reservation(MEMORY_RESERVATION as u64)
        .memory_guard_size(MEMORY_GUARD)
        // Where a guest that computes can be made to wait, so that others get their turn and its deadline is seen.
        .epoch_interruption(true);
    Ok(config)
}
