//! The types of `wit/` in Rust, and the export of the component. The functions of the imports are linked by hand,
//! because generated ones copy every argument and include functions that this host does not offer.

#![allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated code")]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "status",
    imports: { default: trappable },
});

pub(in crate::sandbox) use self::wasi::http::types as http;
pub(in crate::sandbox) use self::wasi::io::error::Error;
pub(in crate::sandbox) use self::wasi::io::poll::Pollable;
pub(in crate::sandbox) use self::wasi::io::streams;
