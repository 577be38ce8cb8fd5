//! Loads the embedded component or a file, and links it.

use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use super::component_file::{Content, MachineCode, open};
#[cfg(feature = "compiler")]
use super::engine_config::engine_config;
use super::imports::is_allowed;
use super::load_error::{LoadError, chain};
use super::wasi::{CallMode, HostFunctions, StatusPre, StoreData};

/// The component of this build, compiled ahead of time for the baseline CPU of the target.
const EMBEDDED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/component.cwasm"));

/// SHA-256 of the portable file that [`EMBEDDED`] was compiled from.
const EMBEDDED_SHA256: &str = env!("COMPONENT_SHA256");

const HANDLER: &str = "wasi:http/incoming-handler@0.2.";

/// The interfaces that the standard libraries of most languages import, whatever the program does.
const STANDARD_LIBRARY: &str = "wasi:cli/";

/// A component, with its name and digest.
pub struct LoadedComponent {
    /// `embedded`, or the path of its file.
    pub name: String,
    /// SHA-256 of the file, in hexadecimal; for the embedded component of its portable file.
    pub sha256: String,
    component: Component,
}

/// Loads the component in `file`, or the embedded one.
///
/// # Errors
///
/// [`LoadError`] if there is no usable component.
pub fn load(engine: &Engine, file: Option<&Path>, machine_code: MachineCode) -> Result<LoadedComponent, LoadError> {
    let Some(file) = file else {
        let name = "embedded".to_owned();
        let component = precompiled(engine, EMBEDDED, &name)?;
        let sha256 = EMBEDDED_SHA256.to_owned();
        return Ok(LoadedComponent {
            name,
            sha256,
            component,
        });
    };
    let (name, bytes, content) = open(file, machine_code)?;
    let component = match content {
        Content::Portable => portable(engine, &bytes, &name)?,
        Content::Precompiled => precompiled(engine, &bytes, &name)?,
    };
    let sha256 = format!("{:x}", Sha256::digest(&bytes));
    Ok(LoadedComponent {
        name,
        sha256,
        component,
    })
}

/// Compiles the portable component in `file` for the baseline CPU of `target`. A host of the same build for that target
/// loads the result.
///
/// # Errors
///
/// [`LoadError`] if the file is not a portable component, or this build has no compiler.
pub fn compile(file: &Path, target: &str) -> Result<Vec<u8>, LoadError> {
    let (name, bytes, _) = open(file, MachineCode::Denied)?;
    machine_code_for(target, &bytes, &name)
}

#[cfg(feature = "compiler")]
fn portable(engine: &Engine, bytes: &[u8], name: &str) -> Result<Component, LoadError> {
    Component::from_binary(engine, bytes).map_err(not_compiled(name))
}

#[cfg(feature = "compiler")]
fn machine_code_for(target: &str, bytes: &[u8], name: &str) -> Result<Vec<u8>, LoadError> {
    let engine = engine_config(target).and_then(|config| Engine::new(&config));
    engine
        .and_then(|engine| engine.precompile_component(bytes))
        .map_err(not_compiled(name))
}

#[cfg(feature = "compiler")]
fn not_compiled(name: &str) -> impl FnOnce(wasmtime::Error) -> LoadError {
    move |error| LoadError::from_wasmtime(name, &error, LoadError::Compile)
}

#[cfg(not(feature = "compiler"))]
fn portable(_engine: &Engine, _bytes: &[u8], name: &str) -> Result<Component, LoadError> {
    Err(LoadError::NoCompiler(name.to_owned()))
}

#[cfg(not(feature = "compiler"))]
fn machine_code_for(_target: &str, _bytes: &[u8], name: &str) -> Result<Vec<u8>, LoadError> {
    Err(LoadError::NoCompiler(name.to_owned()))
}

fn precompiled(engine: &Engine, bytes: &[u8], name: &str) -> Result<Component, LoadError> {
    // SAFETY: the bytes contain machine code, which has to be trusted. They come from this build, or from a file that
    // the operator trusts (--allow-precompiled). No input of a client gets here.
    #[expect(unsafe_code, reason = "machine code cannot be verified, only trusted")]
    let component = unsafe { Component::deserialize(engine, bytes) };
    component.map_err(|error| LoadError::from_wasmtime(name, &error, LoadError::Incompatible))
}

fn is_wasi_0_3(name: &str) -> bool {
    name.starts_with("wasi:") && name.contains("@0.3.")
}

impl LoadedComponent {
    /// The names of the imports, in the order of the component.
    #[must_use]
    pub fn imports(&self) -> Vec<String> {
        let (ty, engine) = (self.component.component_type(), self.component.engine());
        ty.imports(engine).map(|(name, _)| name.to_owned()).collect()
    }

    /// The names of the exports.
    #[must_use]
    pub fn exports(&self) -> Vec<String> {
        let (ty, engine) = (self.component.component_type(), self.component.engine());
        ty.exports(engine).map(|(name, _)| name.to_owned()).collect()
    }

    /// Makes the copy-on-write image of the memory. Otherwise the first instance makes it, when seccomp already denies
    /// `memfd_create(2)`.
    pub(crate) fn create_memory_image(&self) -> io::Result<()> {
        let image = self.component.initialize_copy_on_write_image();
        image.map_err(|error| io::Error::other(chain(&error)))
    }

    /// Resolves the imports, once for all instances: for synchronous calls, and for calls on a fiber.
    pub(super) fn link(&self) -> Result<(StatusPre<StoreData>, StatusPre<StoreData>), LoadError> {
        self.check_interfaces()?;
        let link_error = |error: wasmtime::Error| LoadError::Link(self.name.clone(), chain(&error));
        let functions = |mode| HostFunctions::new(self.component.engine(), mode).map_err(link_error);
        let (sync, fiber) = (functions(CallMode::Sync)?, functions(CallMode::Fiber)?);
        let missing = self.functions_missing_in(&sync);
        if !missing.is_empty() {
            return Err(LoadError::Functions(self.name.clone(), missing));
        }
        let link = |functions: &HostFunctions| {
            let linked = functions.linker.instantiate_pre(&self.component);
            linked.and_then(StatusPre::new).map_err(link_error)
        };
        Ok((link(&sync)?, link(&fiber)?))
    }

    /// Checks which interfaces the component imports and exports.
    fn check_interfaces(&self) -> Result<(), LoadError> {
        let (imports, exports) = (self.imports(), self.exports());
        if imports.iter().chain(&exports).any(|name| is_wasi_0_3(name)) {
            return Err(LoadError::Wasi03(self.name.clone()));
        }
        let forbidden: Vec<_> = imports.into_iter().filter(|name| !is_allowed(name)).collect();
        if forbidden.iter().any(|name| name.starts_with(STANDARD_LIBRARY)) {
            return Err(LoadError::StandardLibrary(self.name.clone(), forbidden));
        }
        if !forbidden.is_empty() {
            return Err(LoadError::Imports(self.name.clone(), forbidden));
        }
        if !exports.iter().any(|name| name.starts_with(HANDLER)) {
            return Err(LoadError::NoHandler(self.name.clone()));
        }
        Ok(())
    }

    /// The functions that the component imports and the host does not have.
    fn functions_missing_in(&self, functions: &HostFunctions) -> Vec<String> {
        let (ty, engine) = (self.component.component_type(), self.component.engine());
        let mut missing = Vec::new();
        for (import, item) in ty.imports(engine) {
            let interface = import.split('@').next().unwrap_or(import);
            if let ComponentItem::ComponentInstance(instance) = item.ty {
                for (function, item) in instance.exports(engine) {
                    if matches!(item.ty, ComponentItem::ComponentFunc(_)) && !functions.contains(interface, function) {
                        missing.push(format!("{import}#{function}"));
                    }
                }
            }
        }
        missing
    }
}
