//! The component of the crate `probe`, built.

/// The file of the component, for `--component`.
pub const PATH: &str = concat!(env!("OUT_DIR"), "/probe.wasm");
