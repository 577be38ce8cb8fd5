//! The source of the two variables: the environment at run time or, with the feature `standalone`, at build time.

/// The environment that the host provides.
#[cfg(not(feature = "standalone"))]
pub(crate) fn variables() -> Vec<(String, String)> {
    crate::bindings::wasi::cli::environment::get_environment()
}

/// The values that were set when the component was built.
#[cfg(feature = "standalone")]
pub(crate) fn variables() -> Vec<(String, String)> {
    use crate::status::{APP_VERSION, COMMIT_SHA};

    let embedded = [(APP_VERSION, env!("APP_VERSION")), (COMMIT_SHA, env!("COMMIT_SHA"))];
    embedded.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}
