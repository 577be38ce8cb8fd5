//! The settings that shape compiled code. The build script and the host share them, since an engine loads precompiled
//! code only if all of them are equal.

use wasmtime::{Config, Result};

/// Maximum size of a linear memory, in bytes: the address space that is reserved for it.
pub const MAX_MEMORY: usize = 16 * 1024 * 1024;

/// Address space behind each memory that traps on access, in bytes.
const MEMORY_GUARD: u64 = 64 * 1024;

/// Settings of an engine that compiles or loads code for `target`. Naming the target disables
/// the detection of CPU features, so that the code runs on every machine of the target.
///
/// # Errors
///
/// If wasmtime does not support the target.
pub fn engine_config(target: &str) -> Result<Config> {
    let mut config = Config::new();
    config.target(target)?;
    config
        .memory_reservation(MAX_MEMORY as u64)
        .memory_guard_size(MEMORY_GUARD)
        // Compiled code may keep the address of a memory, since the pool never moves one.
        .memory_may_move(false)
        // A guest that computes can then yield to other tasks and to its deadline.
        .epoch_interruption(true);
    Ok(config)
}
