//! `wasi:cli/environment@0.2`: the two variables, no arguments and no working directory.

use wasmtime::Result;

use super::store::Interface;

/// Defines the functions of the interface.
pub(super) fn define(interface: &mut Interface<'_>) -> Result<()> {
    interface.function("get-environment", |data, (): ()| Ok(data.env.variables()))?;
    interface.function("get-arguments", |_, (): ()| Ok(Vec::<String>::new()))?;
    interface.function("initial-cwd", |_, (): ()| Ok(None::<String>))
}
