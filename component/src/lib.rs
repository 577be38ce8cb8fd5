//! The component of the world `status` (`wit/status.wit`): glue between `wasi:http` and [`status`], nothing else.

#[cfg(target_family = "wasm")]
mod arena;
#[cfg(target_family = "wasm")]
mod bindings;
#[cfg(target_family = "wasm")]
mod grant;
#[cfg(target_family = "wasm")]
mod handler;
pub mod status;
