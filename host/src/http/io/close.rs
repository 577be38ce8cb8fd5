//! When a connection closes.
//!
//! | because | decided in |
//! |---|---|
//! | the client closes it, or sends `connection: close` | hyper |
//! | a request was rejected or late | [`CloseState::reject`] |
//! | it is over the limit, a request has a body or a large head, the server drains | `close_after_response` |
//! | the next head does not arrive in time, which is short once the server shuts down | `ValidatingReader` |
//! | it is idle longest, and there is no room for a new one | `Connections` |
//! | the client does not receive a response in time | `TimeoutWriter` |
//!
//! Bytes that follow a rejected head or a body may not be a request, or not the same request to every proxy.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::idle::IdleSince;
use crate::http::problem::Rejection;

/// The result of the connection limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Within the limit: its requests are served.
    Admitted,
    /// Above the limit: its first request gets a 503, and the connection is closed.
    Overloaded,
}

/// What was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum RejectedPart {
    /// hyper receives a placeholder instead.
    Head,
    /// hyper receives the head.
    Body,
}

/// The close of one connection, as far as the server has decided on it.
pub(in crate::http) struct CloseState {
    idle_since: IdleSince,
    under_pressure: Arc<AtomicBool>,
    shutting_down: AtomicBool,
    last_request: AtomicBool,
    rejection: OnceLock<(RejectedPart, Rejection)>,
    closed_by_server: AtomicBool,
}

impl CloseState {
    /// `under_pressure`: few further connections can be accepted.
    pub(in crate::http) fn new(under_pressure: Arc<AtomicBool>) -> Self {
        Self {
            idle_since: IdleSince::new(),
            under_pressure,
            shutting_down: AtomicBool::default(),
            last_request: AtomicBool::default(),
            rejection: OnceLock::new(),
            closed_by_server: AtomicBool::default(),
        }
    }

    /// How long the connection has been idle, and a value for [`CloseState::close_idle`].
    pub(in crate::http) fn idle(&self, now: Instant) -> Option<(Duration, u64)> {
        self.idle_since.duration(now)
    }

    /// Closes the connection, if it is still idle since then. Its reader then accepts no request.
    pub(in crate::http) fn close_idle(&self, since: u64) -> bool {
        self.idle_since.close(since)
    }

    /// The connection waits for a request.
    pub(super) fn begin_idle(&self, now: Instant) {
        self.idle_since.begin(now);
    }

    /// A request begins. Returns whether the connection is still open.
    pub(super) fn end_idle(&self) -> bool {
        self.idle_since.end()
    }

    pub(super) fn is_under_pressure(&self) -> bool {
        self.under_pressure.load(Ordering::Relaxed)
    }

    /// The server shuts down: a head that does not arrive soon gets no response.
    pub(in crate::http) fn begin_shutdown(&self) {
        self.shutting_down.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_shutting_down(&self) -> bool {
        self.shutting_down.load(Ordering::Relaxed)
    }

    /// The current request is rejected. No other is read.
    pub(super) fn reject(&self, part: RejectedPart, rejection: Rejection) {
        // Never set twice: the reader is closed after the first.
        let _ = self.rejection.set((part, rejection));
    }

    pub(in crate::http) fn rejection(&self) -> Option<(RejectedPart, Rejection)> {
        self.rejection.get().copied()
    }

    /// The current request is the last: it has a body or a large head, or the server drains.
    pub(in crate::http) fn set_last_request(&self) {
        self.last_request.store(true, Ordering::Relaxed);
    }

    /// Whether the connection closes after the current response.
    pub(in crate::http) fn close_after_response(&self, admission: Admission) -> bool {
        let close = self.last_request.load(Ordering::Relaxed)
            || admission == Admission::Overloaded
            || self.rejection.get().is_some();
        if close {
            self.closed_by_server.store(true, Ordering::Relaxed);
        }
        close
    }

    /// Whether the server closes first, so that the client may still be sending.
    pub(super) fn closed_by_server(&self) -> bool {
        self.closed_by_server.load(Ordering::Relaxed)
    }
}
