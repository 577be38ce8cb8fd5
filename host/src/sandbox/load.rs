//! From a file, or from what is embedded, to a component that is known to fit the world.

use std::fs;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Precompiled};
use wasmtime_wasi_http::p2::bindings::ProxyPre;

use super::respond::Failure;
use super::state::State;
use super::world::is_granted;

/// The component of this host's own build, compiled ahead of time for the baseline of the target's CPU.
const EMBEDDED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/component.cwasm"));

/// The digest of the portable file that [`EMBEDDED`] was compiled from.
const EMBEDDED_SHA256: &str = env!("COMPONENT_SHA256");

/// The first eight bytes of a component and of a core module: magic number, version, layer.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// The first bytes of what is compiled ahead of time.
const ELF: &[u8] = b"\x7fELF";

/// The largest file that is read, in bytes.
const FILE_LIMIT: u64 = 64 * 1024 * 1024;

const HANDLER: &str = "wasi:http/incoming-handler@0.2.";

/// A component, and how to speak of it.
pub struct Loaded {
    /// `embedded`, or the path of its file.
    pub name: String,
    /// The SHA-256 of its file in hexadecimal; for the embedded one of the portable file it was compiled from.
    pub sha256: String,
    component: Component,
}

/// Why a component is not served. Every message names the file and the way out.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the component `{0}`: {1}; name a readable file with --component")]
    Read(String, io::Error),
    /// The file has no content.
    #[error("the component `{0}` is empty; build it anew")]
    Empty(String),
    /// The file is something else.
    #[error("`{0}` is not a WebAssembly component; name a .wasm file with --component")]
    NotWasm(String),
    /// The file is a core module.
    #[error("`{0}` is a core module, not a component; wrap it with `wasm-tools component new`")]
    CoreModule(String),
    /// The file is a portable component, and this build has no compiler.
    #[error(
        "`{0}` is a portable component, and this build of status-host has no compiler; compile it with `status-host compile` of one that has"
    )]
    NoCompiler(String),
    /// The file is a broken component, or one that needs more than an instance gets.
    #[error(
        "the component `{0}` cannot be compiled: {1}; serve one that is whole and needs no more than 16 MiB of memory"
    )]
    Compile(String, String),
    /// The file was compiled by or for something else.
    #[error(
        "the component `{0}` was compiled for another runtime or machine: {1}; compile it anew with `status-host compile`"
    )]
    Incompatible(String, String),
    /// The component asks for more than is granted.
    #[error("the component `{0}` imports what is not granted: {imports}; serve one that imports only what the world `status` names", imports = .1.join(", "))]
    Imports(String, Vec<String>),
    /// The component does not answer requests.
    #[error(
        "the component `{0}` does not export `wasi:http/incoming-handler@0.2`, the handler of requests; serve one that does"
    )]
    NoHandler(String),
    /// An instance of the component cannot be made.
    #[error("no instance of the component `{0}` can be made: {1}; serve one that starts within the limits")]
    Start(String, Failure),
    /// The component uses an interface in another way than WASI defines it.
    #[error("the component `{0}` does not fit the world `status`: {1}; build it against WASI 0.2")]
    Link(String, String),
}

/// Loads the component in `file`, or the embedded one.
///
/// # Errors
///
/// [`LoadError`], when there is no component to be had.
pub fn load(engine: &Engine, file: Option<&Path>) -> Result<Loaded, LoadError> {
    let Some(file) = file else {
        let name = "embedded".to_owned();
        let component = precompiled(engine, EMBEDDED, &name)?;
        let sha256 = EMBEDDED_SHA256.to_owned();
        return Ok(Loaded {
            name,
            sha256,
            component,
        });
    };
    let name = file.display().to_string();
    let bytes = read(file).map_err(|error| LoadError::Read(name.clone(), error))?;
    let component = match Engine::detect_precompiled(&bytes) {
        Some(Precompiled::Component) => precompiled(engine, &bytes, &name)?,
        Some(Precompiled::Module) => return Err(LoadError::CoreModule(name)),
        None if bytes.is_empty() => return Err(LoadError::Empty(name)),
        None if bytes.starts_with(CORE_MODULE) => return Err(LoadError::CoreModule(name)),
        None if bytes.starts_with(ELF) => {
            let cause = "the file is cut short or broken".to_owned();
            return Err(LoadError::Incompatible(name, cause));
        }
        None if bytes.starts_with(COMPONENT) => portable(engine, &bytes, &name)?,
        None => return Err(LoadError::NotWasm(name)),
    };
    let sha256 = format!("{:x}", Sha256::digest(&bytes));
    Ok(Loaded {
        name,
        sha256,
        component,
    })
}

/// Reads a regular file. Of a pipe or a device the end may never come.
fn read(file: &Path) -> io::Result<Vec<u8>> {
    let metadata = fs::metadata(file)?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    if metadata.len() > FILE_LIMIT {
        return Err(io::Error::other(format!("it has more than {FILE_LIMIT} bytes")));
    }
    fs::read(file)
}

#[cfg(feature = "compiler")]
fn portable(engine: &Engine, bytes: &[u8], name: &str) -> Result<Component, LoadError> {
    Component::from_binary(engine, bytes).map_err(not_compiled(name))
}

#[cfg(not(feature = "compiler"))]
fn portable(_engine: &Engine, _bytes: &[u8], name: &str) -> Result<Component, LoadError> {
    Err(LoadError::NoCompiler(name.to_owned()))
}

fn precompiled(engine: &Engine, bytes: &[u8], name: &str) -> Result<Component, LoadError> {
    // SAFETY: such bytes are machine code, and running them is as safe as their origin: they are this build's own, or a
    // file that the operator names, who could name another program as well. Nothing that a client sends gets here.
    #[expect(unsafe_code, reason = "machine code cannot be verified, only trusted")]
    let component = unsafe { Component::deserialize(engine, bytes) };
    component.map_err(|error| LoadError::Incompatible(name.to_owned(), chain(&error)))
}

fn not_compiled(name: &str) -> impl FnOnce(wasmtime::Error) -> LoadError {
    move |error| LoadError::Compile(name.to_owned(), chain(&error))
}

fn chain(error: &wasmtime::Error) -> String {
    format!("{error:#}").replace('\n', " ")
}

impl Loaded {
    /// The compiled component, for a file that another host of the same build loads.
    pub(crate) fn serialize(&self) -> Result<Vec<u8>, LoadError> {
        self.component.serialize().map_err(not_compiled(&self.name))
    }

    /// The names of what the component imports, in its own order.
    #[must_use]
    pub fn imports(&self) -> Vec<String> {
        let (ty, engine) = (self.component.component_type(), self.component.engine());
        ty.imports(engine).map(|(name, _)| name.to_owned()).collect()
    }

    /// The names of what the component exports.
    #[must_use]
    pub fn exports(&self) -> Vec<String> {
        let (ty, engine) = (self.component.component_type(), self.component.engine());
        ty.exports(engine).map(|(name, _)| name.to_owned()).collect()
    }

    /// Binds the component to what `linker` makes, once for all its instances.
    pub(super) fn link(
        &self,
        linker: impl FnOnce(&Engine) -> wasmtime::Result<Linker<State>>,
    ) -> Result<ProxyPre<State>, LoadError> {
        let refused: Vec<_> = self.imports().into_iter().filter(|name| !is_granted(name)).collect();
        if !refused.is_empty() {
            return Err(LoadError::Imports(self.name.clone(), refused));
        }
        if !self.exports().iter().any(|name| name.starts_with(HANDLER)) {
            return Err(LoadError::NoHandler(self.name.clone()));
        }
        linker(self.component.engine())
            .and_then(|linker| linker.instantiate_pre(&self.component))
            .and_then(ProxyPre::new)
            .map_err(|error| LoadError::Link(self.name.clone(), chain(&error)))
    }
}
