//! The component built from the crate `probe`.

/// The path of the component file, for `--component`.
pub const PATH: &str = concat!(env!("OUT_DIR"), "/probe.wasm");
