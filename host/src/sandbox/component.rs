//! Loads the embedded component, or compiles a portable file.

use std::path::Path;

use wasmtime::Engine;
use wasmtime::component::Component;

use super::error::{LoadError, chain};

/// The component of this build, compiled ahead of time for the baseline CPU of the target.
const EMBEDDED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/component.cwasm"));

/// SHA-256 of the portable file that [`EMBEDDED`] was compiled from.
const EMBEDDED_SHA256: &str = env!("COMPONENT_SHA256");

/// A component, with its name and digest.
pub struct LoadedComponent {
    /// `embedded`, or the path of its file.
    pub name: String,
    /// SHA-256 of the portable file, in hexadecimal.
    pub sha256: String,
    pub(super) component: Component,
}

/// Loads the component in `file`, or the embedded one.
///
/// # Errors
///
/// [`LoadError`] if there is no usable component.
pub fn load(engine: &Engine, file: Option<&Path>) -> Result<LoadedComponent, LoadError> {
    let loaded = match file {
        Some(file) => portable::load(engine, file)?,
        None => embedded(engine)?,
    };
    // Otherwise the first instance makes it, when seccomp already denies `memfd_create(2)`.
    let image = loaded.component.initialize_copy_on_write_image();
    image.map_err(|error| LoadError::MemoryImage(loaded.name.clone(), chain(&error)))?;
    Ok(loaded)
}

fn embedded(engine: &Engine) -> Result<LoadedComponent, LoadError> {
    let name = "embedded".to_owned();
    // SAFETY: the bytes contain machine code, which has to be trusted. They come from this build.
    #[expect(unsafe_code, reason = "machine code cannot be verified, only trusted")]
    let component = unsafe { Component::deserialize(engine, EMBEDDED) };
    let component = component.map_err(|error| LoadError::from_wasmtime(&name, &error))?;
    let sha256 = EMBEDDED_SHA256.to_owned();
    Ok(LoadedComponent {
        name,
        sha256,
        component,
    })
}

#[cfg(not(feature = "compiler"))]
mod portable {
    use super::{Engine, LoadError, LoadedComponent, Path};

    pub(super) fn load(_engine: &Engine, file: &Path) -> Result<LoadedComponent, LoadError> {
        Err(LoadError::NoCompiler(file.display().to_string()))
    }
}

#[cfg(feature = "compiler")]
mod portable {
    use std::{fs, io};

    use sha2::{Digest, Sha256};
    use wasmparser::{BinaryReaderError, Parser, Payload};

    use super::super::imports::is_allowed;
    use super::{Component, Engine, LoadError, LoadedComponent, Path};

    /// The preambles of a component and of a core module: magic number, version, layer.
    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
    const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";

    /// Maximum size of a file, in bytes.
    const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

    const HANDLER: &str = "wasi:http/incoming-handler@0.2.";

    pub(super) fn load(engine: &Engine, file: &Path) -> Result<LoadedComponent, LoadError> {
        let name = file.display().to_string();
        let bytes = read(file).map_err(|error| LoadError::Read(name.clone(), error))?;
        // First, since compiling takes seconds.
        check(&name, &bytes)?;
        let component = Component::from_binary(engine, &bytes);
        let component = component.map_err(|error| LoadError::from_wasmtime(&name, &error))?;
        let sha256 = format!("{:x}", Sha256::digest(&bytes));
        Ok(LoadedComponent {
            name,
            sha256,
            component,
        })
    }

    /// Reads a regular file: a pipe or a device may have no end.
    fn read(file: &Path) -> io::Result<Vec<u8>> {
        let metadata = fs::metadata(file)?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        if metadata.len() > MAX_FILE_BYTES {
            return Err(io::Error::other(format!("it is larger than {MAX_FILE_BYTES} bytes")));
        }
        fs::read(file)
    }

    /// Checks that `bytes` are a component, and which interfaces it imports and exports.
    fn check(name: &str, bytes: &[u8]) -> Result<(), LoadError> {
        let not_component = |reason| LoadError::NotComponent(name.to_owned(), reason);
        if bytes.is_empty() {
            return Err(not_component("the file is empty; build it again"));
        }
        if bytes.starts_with(CORE_MODULE) {
            return Err(not_component(
                "it is a core module; wrap it with `wasm-tools component new`",
            ));
        }
        if !bytes.starts_with(COMPONENT) {
            return Err(not_component("it is another format; use a .wasm file with a component"));
        }
        let (mut imports, exports) =
            interfaces(bytes).map_err(|error| LoadError::Invalid(name.to_owned(), error.to_string()))?;
        imports.retain(|import| !is_allowed(import));
        if !imports.is_empty() {
            let remedy = remedy(&imports);
            return Err(LoadError::Imports(name.to_owned(), imports, remedy));
        }
        if !exports.iter().any(|export| export.starts_with(HANDLER)) {
            return Err(LoadError::NoHandler(name.to_owned()));
        }
        Ok(())
    }

    /// The names of the imports and exports of a component.
    fn interfaces(bytes: &[u8]) -> Result<(Vec<String>, Vec<String>), BinaryReaderError> {
        let (mut imports, mut exports) = (Vec::new(), Vec::new());
        let mut depth = 0;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth -= 1,
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        imports.push(import?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        exports.push(export?.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok((imports, exports))
    }

    /// What to do about imports that are not allowed.
    fn remedy(imports: &[String]) -> &'static str {
        let any = |part: &str| imports.iter().any(|import| import.contains(part));
        if any("@0.3.") {
            "build it for WASI 0.2, without asynchronous functions"
        } else if any("wasi:http/") {
            "this host sends no requests; use a component that only handles them"
        } else if any("wasi:") {
            "build it without the parts of its standard library and other libraries that need them (in Rust, for \
             `wasm32-unknown-unknown`), or plug components that provide them into it (`wac plug`)"
        } else {
            "plug components that provide them into it (`wac plug`)"
        }
    }
}
