//! The component of the world `status` (`wit/status.wit`): glue between `wasi:http` and [`status`], nothing else.

#[cfg(any(target_family = "wasm", test))]
mod arena;
#[cfg(target_family = "wasm")]
mod bindings;
#[cfg(target_family = "wasm")]
mod handler;
#[cfg(target_family = "wasm")]
mod memory;
pub mod status;
#[cfg(target_family = "wasm")]
mod variables;
