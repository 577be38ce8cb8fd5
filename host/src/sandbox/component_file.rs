//! Reads the file of a component, and determines what it contains.

use std::fs;
use std::io;
use std::path::Path;

use wasmtime::{Engine, Precompiled};

use super::load_error::LoadError;

/// The preambles of a component and of a core module: magic number, version, layer.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// The magic number of a precompiled component.
const ELF: &[u8] = b"\x7fELF";

/// Maximum size of a file, in bytes.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// Whether a file may contain machine code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineCode {
    /// Only portable components are loaded.
    Denied,
    /// The operator trusts the file.
    Allowed,
}

/// What a file contains.
pub(super) enum Content {
    Portable,
    Precompiled,
}

/// Reads `file`. Returns its name, its bytes and what they are.
pub(super) fn open(file: &Path, machine_code: MachineCode) -> Result<(String, Vec<u8>, Content), LoadError> {
    let name = file.display().to_string();
    let bytes = read(file).map_err(|error| LoadError::Read(name.clone(), error))?;
    let content = match Engine::detect_precompiled(&bytes) {
        _ if bytes.starts_with(ELF) && machine_code == MachineCode::Denied => return Err(LoadError::Precompiled(name)),
        Some(Precompiled::Component) => Content::Precompiled,
        Some(Precompiled::Module) => return Err(LoadError::CoreModule(name)),
        None if bytes.is_empty() => return Err(LoadError::Empty(name)),
        None if bytes.starts_with(CORE_MODULE) => return Err(LoadError::CoreModule(name)),
        None if bytes.starts_with(ELF) => {
            let cause = "the file is truncated or corrupt".to_owned();
            return Err(LoadError::Incompatible(name, cause));
        }
        None if bytes.starts_with(COMPONENT) => Content::Portable,
        None => return Err(LoadError::NotWasm(name)),
    };
    Ok((name, bytes, content))
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
