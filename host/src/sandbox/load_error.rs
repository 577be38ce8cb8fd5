//! Why a component is refused.

use std::io;

use super::engine::{MAX_CORE_INSTANCES, MAX_MEMORIES, MAX_TABLES};

/// Why a component cannot be loaded. Every message names the file and a remedy.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the component `{0}`: {1}; use a readable file")]
    Read(String, io::Error),
    /// The file is empty.
    #[error("the component `{0}` is empty; build it again")]
    Empty(String),
    /// The file contains machine code, which is not allowed.
    #[error(
        "`{0}` is precompiled, so that it would run as machine code; use a portable component, or add \
         --allow-precompiled if you trust the file"
    )]
    Precompiled(String),
    /// The file is something else.
    #[error("`{0}` is not a WebAssembly component; use a .wasm file that contains one")]
    NotWasm(String),
    /// The file is a core module.
    #[error("`{0}` is a core module, not a component; wrap it with `wasm-tools component new`")]
    CoreModule(String),
    /// The file is portable, and this build has no compiler.
    #[error(
        "`{0}` is a portable component, and this build of status-host has no compiler; compile it with \
         `status-host compile` of a build with one"
    )]
    NoCompiler(String),
    /// The file is invalid.
    #[error("cannot compile the component `{0}`: {1}; use a valid one")]
    Compile(String, String),
    /// It needs more memories, tables or instances than a place of the pool has.
    #[error(
        "the component `{0}` does not fit the instance pool: {1}; use one with at most 16 MiB of memory, \
         {MAX_MEMORIES} memories, {MAX_TABLES} tables and {MAX_CORE_INSTANCES} core instances"
    )]
    Pool(String, String),
    /// It has asynchronous functions, or imports or exports of WASI 0.3.
    #[error(
        "the component `{0}` is built for WASI 0.3; this host serves `wasi:http/incoming-handler@0.2`; build it for WASI \
         0.2, without asynchronous functions"
    )]
    Wasi03(String),
    /// The operating system denies executable memory.
    #[error(
        "cannot make the code of the component `{0}` executable: {1}; allow executable memory (systemd: \
         MemoryDenyWriteExecute=no, SELinux: execmem)"
    )]
    NotExecutable(String, String),
    /// The file was compiled by another version, or for another machine.
    #[error(
        "the component `{0}` was compiled for another runtime or machine: {1}; compile it again with \
         `status-host compile`"
    )]
    Incompatible(String, String),
    /// It needs more than the world provides.
    #[error(
        "the component `{0}` has imports that are not allowed: {imports}; use one that imports only interfaces of the \
         world `status`", imports = .1.join(", ")
    )]
    Imports(String, Vec<String>),
    /// Its standard library needs more than the world provides.
    #[error(
        "the component `{0}` has imports that are not allowed: {imports}; they come from its standard library: build \
         Rust for `wasm32-unknown-unknown`, then `wasm-tools component new`", imports = .1.join(", ")
    )]
    StandardLibrary(String, Vec<String>),
    /// It needs functions that a handler of incoming requests does not need.
    #[error(
        "the component `{0}` imports functions that this host does not have: {functions}; use one that sends no \
         requests", functions = .1.join(", ")
    )]
    Functions(String, Vec<String>),
    /// It handles no requests.
    #[error("the component `{0}` does not export `wasi:http/incoming-handler@0.2`; use one that does")]
    NoHandler(String),
    /// It uses an interface differently from its definition in WASI.
    #[error("the component `{0}` does not match the world `status`: {1}; build it for WASI 0.2")]
    Link(String, String),
}

impl LoadError {
    /// The reason why wasmtime does not accept a component, or else `otherwise`. Its errors have no types: their texts
    /// decide.
    pub(super) fn from_wasmtime(
        name: &str,
        error: &wasmtime::Error,
        otherwise: impl FnOnce(String, String) -> Self,
    ) -> Self {
        let (name, cause) = (name.to_owned(), chain(error));
        if cause.contains("the component model") && cause.contains("async") {
            Self::Wasi03(name)
        } else if cause.contains("pooling allocator") {
            Self::Pool(name, cause)
        } else if cause.contains("unable to make memory executable") {
            Self::NotExecutable(name, cause)
        } else {
            otherwise(name, cause)
        }
    }
}

/// An error of wasmtime with its causes, in one line.
pub(super) fn chain(error: &wasmtime::Error) -> String {
    format!("{error:#}").replace('\n', " ")
}
