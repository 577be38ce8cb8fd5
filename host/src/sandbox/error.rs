//! Why a component is refused, and how an invocation fails.

use std::io;
use std::time::Duration;

use super::engine::{MAX_CORE_INSTANCES, MAX_MEMORIES, MAX_TABLES};
use super::epoch::DeadlinePassed;
use super::limits::LimitExceeded;

/// Why a component cannot be loaded. Every message names the file and a remedy.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the component `{0}`: {1}; use a readable file")]
    Read(String, io::Error),
    /// The file is something else. The reason has the remedy.
    #[error("`{0}` is not a WebAssembly component: {1}")]
    NotComponent(String, &'static str),
    /// This build has no compiler.
    #[error(
        "cannot compile the component `{0}`: this build of status-host serves only its embedded component; use a build \
         with the feature `compiler`"
    )]
    NoCompiler(String),
    /// The component needs more than the world provides. The last field is the remedy.
    #[error("the component `{0}` has imports that are not allowed: {imports}; {2}", imports = .1.join(", "))]
    Imports(String, Vec<String>, &'static str),
    /// The component handles no requests.
    #[error("the component `{0}` does not export `wasi:http/incoming-handler@0.2`; use one that does")]
    NoHandler(String),
    /// The component is invalid.
    #[error("cannot compile the component `{0}`: {1}; use a valid one")]
    Invalid(String, String),
    /// The component needs more memories, tables or instances than a place of the pool has.
    #[error(
        "the component `{0}` does not fit the instance pool: {1}; use one with at most 16 MiB of memory, \
         {MAX_MEMORIES} memories, {MAX_TABLES} tables and {MAX_CORE_INSTANCES} core instances"
    )]
    Pool(String, String),
    /// The component uses an interface differently from its definition in WASI, or needs a function of clients.
    #[error(
        "the component `{0}` does not match the world `status`: {1}; build it for WASI 0.2, without client functions"
    )]
    Link(String, String),
    /// The operating system denies executable memory.
    #[error(
        "cannot make the code of the component `{0}` executable: {1}; allow executable memory (systemd: \
         MemoryDenyWriteExecute=no, SELinux: execmem)"
    )]
    NotExecutable(String, String),
    /// The operating system denies the copy-on-write image of the memory.
    #[error(
        "cannot create the memory image of the component `{0}`: {1}; raise the limit of file descriptors (ulimit -n), \
         or allow memfd_create in the seccomp profile"
    )]
    MemoryImage(String, String),
}

impl LoadError {
    /// Classifies why wasmtime does not accept a component. Its errors have no types: their texts decide.
    pub(super) fn from_wasmtime(name: &str, error: &wasmtime::Error) -> Self {
        let (name, cause) = (name.to_owned(), chain(error));
        if cause.contains("pooling allocator") {
            Self::Pool(name, cause)
        } else if cause.contains("memory executable") {
            Self::NotExecutable(name, cause)
        } else {
            Self::Invalid(name, cause)
        }
    }
}

/// An error of wasmtime with its causes, in one line.
pub(super) fn chain(error: &wasmtime::Error) -> String {
    format!("{error:#}").replace('\n', " ")
}

/// Why an invocation gave no response.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// Too many requests wait already.
    #[error("too many requests wait for a running guest to end (--max-concurrency)")]
    Overloaded,
    /// The guest trapped, or could not be instantiated.
    #[error("the component trapped: {0:#}")]
    Trap(wasmtime::Error),
    /// The guest exceeded a limit.
    #[error("the component exceeded a limit: {0}")]
    Limit(LimitExceeded),
    /// The guest did not end in time.
    #[error("the component did not end within {} ms (--request-timeout)", .0.as_millis())]
    Timeout(Duration),
    /// The guest returned without a response.
    #[error("the component returned without a response")]
    NoResponse,
    /// The guest returned an error instead of a response.
    #[error("the component returned the error {0}")]
    ErrorCode(String),
    /// The response is incomplete or inconsistent.
    #[error("the response of the component is invalid: {0}")]
    InvalidResponse(&'static str),
}

impl InvokeError {
    /// Every value of [`kind`](Self::kind).
    pub const KINDS: [&str; 7] = [
        "trap",
        "timeout",
        "memory",
        "limit",
        "no_response",
        "error",
        "invalid_response",
    ];

    /// The kind of failure, for metrics; `None` if the component is not at fault.
    #[must_use]
    pub fn kind(&self) -> Option<&'static str> {
        Some(match self {
            Self::Overloaded => return None,
            Self::Trap(_) => "trap",
            Self::Limit(LimitExceeded::Memory { .. }) => "memory",
            Self::Limit(_) => "limit",
            Self::Timeout(_) => "timeout",
            Self::NoResponse => "no_response",
            Self::ErrorCode(_) => "error",
            Self::InvalidResponse(_) => "invalid_response",
        })
    }

    /// Classifies an error of instantiation or of a call, which had so much time.
    pub(super) fn from_wasmtime(error: wasmtime::Error, timeout: Duration) -> Self {
        if error.is::<DeadlinePassed>() {
            return Self::Timeout(timeout);
        }
        match error.downcast_ref::<LimitExceeded>() {
            Some(limit) => Self::Limit(limit.clone()),
            None => Self::Trap(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_listed() {
        let failures = [
            InvokeError::Trap(wasmtime::Error::msg("trap")),
            InvokeError::Timeout(Duration::ZERO),
            InvokeError::Limit(LimitExceeded::Memory { desired: 2, max: 1 }),
            InvokeError::Limit(LimitExceeded::Resources),
            InvokeError::NoResponse,
            InvokeError::ErrorCode("DNS-timeout".to_owned()),
            InvokeError::InvalidResponse("its status is not final"),
        ];
        let kinds: Vec<_> = failures.iter().filter_map(InvokeError::kind).collect();
        assert_eq!(kinds, InvokeError::KINDS);
    }
}
