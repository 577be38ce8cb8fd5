//! What a component gets: the interfaces that the world `status` names, linked one by one, and two variables.

use std::sync::Arc;

use wasmtime::component::{HasSelf, Linker, ResourceTable};
use wasmtime::{Engine, Result};
use wasmtime_wasi::p2::bindings::{cli, io};
use wasmtime_wasi_http::p2::bindings::{LinkOptions, http};
use wasmtime_wasi_http::{WasiHttp, WasiHttpView};

use super::state::State;

/// The environment that a component sees, whole: two variables.
#[derive(Clone, Debug)]
pub struct Grant {
    variables: Arc<[(String, String); 2]>,
}

/// A linker that holds the granted interfaces (`world::INTERFACES`) and nothing else.
pub(super) fn linker(engine: &Engine) -> Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    let options = LinkOptions::default();
    cli::environment::add_to_linker::<State, HasSelf<Grant>>(&mut linker, |state| &mut state.grant)?;
    http::types::add_to_linker::<State, WasiHttp>(&mut linker, &(&options).into(), State::http)?;
    io::error::add_to_linker::<State, HasSelf<ResourceTable>>(&mut linker, |state| &mut state.table)?;
    io::poll::add_to_linker::<State, HasSelf<ResourceTable>>(&mut linker, |state| &mut state.table)?;
    io::streams::add_to_linker::<State, HasSelf<ResourceTable>>(&mut linker, |state| &mut state.table)?;
    Ok(linker)
}

impl Grant {
    /// The variable that holds the version of the application.
    pub const APP_VERSION: &str = "APP_VERSION";

    /// The variable that holds the git commit that the application was built from.
    pub const COMMIT_SHA: &str = "COMMIT_SHA";

    /// A grant of these values.
    #[must_use]
    pub fn new(app_version: String, commit_sha: String) -> Self {
        let version = (Self::APP_VERSION.to_owned(), app_version);
        let commit = (Self::COMMIT_SHA.to_owned(), commit_sha);
        Self {
            variables: Arc::new([version, commit]),
        }
    }

    /// The version of the application.
    #[must_use]
    pub fn app_version(&self) -> &str {
        let [(_, version), _] = &*self.variables;
        version
    }

    /// The git commit that the application was built from.
    #[must_use]
    pub fn commit_sha(&self) -> &str {
        let [_, (_, commit)] = &*self.variables;
        commit
    }
}

impl cli::environment::Host for Grant {
    fn get_environment(&mut self) -> Result<Vec<(String, String)>> {
        Ok(self.variables.to_vec())
    }

    fn get_arguments(&mut self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn initial_cwd(&mut self) -> Result<Option<String>> {
        Ok(None)
    }
}
