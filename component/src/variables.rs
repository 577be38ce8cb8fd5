//! Where the two variables come from: the environment, as the host grants it, or this build.

/// The environment of the component.
#[cfg(not(feature = "standalone"))]
pub(crate) fn variables() -> Vec<(String, String)> {
    crate::bindings::wasi::cli::environment::get_environment()
}

/// The variables as they were when this was built.
#[cfg(feature = "standalone")]
pub(crate) fn variables() -> Vec<(String, String)> {
    use crate::status::{APP_VERSION, COMMIT_SHA};

    let baked = [(APP_VERSION, env!("APP_VERSION")), (COMMIT_SHA, env!("COMMIT_SHA"))];
    baked.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}
