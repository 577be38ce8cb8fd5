//! How an invocation fails.

use std::time::Duration;

use wasmtime::PoolConcurrencyLimitError;

use super::limits::{LimitExceeded, MAX_BODY_BYTES};
use super::wasi::ErrorCode;

/// Why an invocation gave no response.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// All instances of the pool are in use.
    #[error("no instance is available: {0}")]
    Overloaded(wasmtime::Error),
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
    #[error("the component returned the error {0:?}")]
    ErrorCode(ErrorCode),
    /// The response is incomplete, inconsistent, or too large.
    #[error("the response of the component is invalid: {0}")]
    InvalidResponse(&'static str),
    /// The body of the response is too large.
    #[error("the response body of the component is larger than {MAX_BODY_BYTES} bytes")]
    BodyTooLarge,
}

impl InvokeError {
    /// Every value of [`kind`](Self::kind).
    pub const KINDS: [&str; 8] = [
        "trap",
        "timeout",
        "memory",
        "host_memory",
        "limit",
        "no_response",
        "error",
        "invalid_response",
    ];

    /// The kind of failure, for metrics; `None` if the component is not at fault.
    #[must_use]
    pub fn kind(&self) -> Option<&'static str> {
        Some(match self {
            Self::Overloaded(_) => return None,
            Self::Trap(_) => "trap",
            Self::Limit(LimitExceeded::Memory { .. }) => "memory",
            Self::Limit(LimitExceeded::HostMemory { .. }) => "host_memory",
            Self::Limit(_) => "limit",
            Self::Timeout(_) => "timeout",
            Self::NoResponse => "no_response",
            Self::ErrorCode(_) => "error",
            Self::InvalidResponse(_) | Self::BodyTooLarge => "invalid_response",
        })
    }

    /// Classifies an error of instantiation or of a call.
    pub(super) fn from_runtime(error: wasmtime::Error) -> Self {
        if error.is::<PoolConcurrencyLimitError>() {
            Self::Overloaded(error)
        } else if let Some(limit) = error.downcast_ref::<LimitExceeded>() {
            match limit {
                LimitExceeded::ResponseBody => Self::BodyTooLarge,
                limit => Self::Limit(limit.clone()),
            }
        } else {
            Self::Trap(error)
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
            InvokeError::Limit(LimitExceeded::HostMemory { desired: 2, max: 1 }),
            InvokeError::Limit(LimitExceeded::Resources),
            InvokeError::NoResponse,
            InvokeError::ErrorCode(ErrorCode::DnsTimeout),
            InvokeError::BodyTooLarge,
        ];
        let kinds: Vec<_> = failures.iter().filter_map(InvokeError::kind).collect();
        assert_eq!(kinds, InvokeError::KINDS);
    }
}
