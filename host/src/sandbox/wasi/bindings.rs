//! The types of `wit/` in Rust, and the export of the component. The functions of the imports are linked by hand,
//! because generated ones copy every argument and include functions that this host does not offer.

#![allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated code")]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "status",
    imports: { default: trappable },
});

pub(super) use self::wasi::http::types as http;
pub(super) use self::wasi::io::error::Error;
pub(super) use self::wasi::io::poll::Pollable;
pub(super) use self::wasi::io::streams;
