//! The `/status` component: implements the world `status` of `wit/status.wit`.
//!
//! [`status`] holds the logic. The other modules adapt it to WebAssembly: bindings, handler, variables and allocator.

#[cfg(target_family = "wasm")]
mod allocator;
#[cfg(target_family = "wasm")]
mod bindings;
#[cfg(target_family = "wasm")]
mod handler;
pub mod status;
#[cfg(target_family = "wasm")]
mod variables;
