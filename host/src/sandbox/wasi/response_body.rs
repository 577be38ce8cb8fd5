//! The body of a response, while the guest writes it.

use bytes::Bytes;
use wasmtime::{Result, bail};

use super::bindings::http::ErrorCode;
use super::memory::MemoryBudget;
use crate::sandbox::limits::{LimitExceeded, MAX_BODY_BYTES};

/// The body of a response.
#[derive(Debug)]
pub(super) struct ResponseBody {
    pub(super) bytes: Vec<u8>,
    /// `content-length`.
    expected: Option<u64>,
    /// Bytes that the guest wrote, including those beyond `expected`.
    written: u64,
    state: BodyState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyState {
    /// The guest may write.
    Open,
    /// The guest finished it.
    Finished,
    /// The guest dropped it, or wrote less or more than `content-length`.
    Aborted,
    /// Its response was dropped, so nobody reads it.
    Closed,
}

/// What a write may do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Write {
    /// There is room for the bytes.
    Accepted,
    /// Nobody reads the body.
    Closed,
    /// The body is longer than its `content-length`: it would have so many bytes.
    TooLong(u64),
}

impl ResponseBody {
    pub(super) fn new(expected: Option<u64>) -> Self {
        Self {
            bytes: Vec::new(),
            expected,
            written: 0,
            state: BodyState::Open,
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state == BodyState::Closed
    }

    pub(super) fn abort(&mut self) {
        if self.state == BodyState::Open {
            self.state = BodyState::Aborted;
        }
    }

    pub(super) fn close(&mut self) {
        self.state = BodyState::Closed;
        self.bytes = Vec::new();
    }

    /// Makes room for `length` more bytes.
    pub(super) fn prepare(&mut self, memory: &mut MemoryBudget, length: usize) -> Result<Write> {
        if self.is_closed() {
            return Ok(Write::Closed);
        }
        self.written += length as u64;
        if self.expected.is_some_and(|expected| self.written > expected) {
            return Ok(Write::TooLong(self.written));
        }
        let required = self.bytes.len() + length;
        if required > MAX_BODY_BYTES {
            bail!(LimitExceeded::ResponseBody);
        }
        let capacity = self.bytes.capacity();
        if required > capacity {
            let expected = self.expected.and_then(|length| usize::try_from(length).ok());
            let target = expected.unwrap_or(capacity * 2).clamp(required, MAX_BODY_BYTES);
            memory.charge(target - capacity)?;
            self.bytes.reserve_exact(target - self.bytes.len());
        }
        Ok(Write::Accepted)
    }

    pub(super) fn finish(&mut self) -> Result<(), ErrorCode> {
        if self.expected.is_some_and(|expected| self.written != expected) {
            self.abort();
            return Err(ErrorCode::HttpResponseBodySize(Some(self.written)));
        }
        if self.state == BodyState::Open {
            self.state = BodyState::Finished;
        }
        Ok(())
    }

    pub(super) fn into_bytes(self) -> Option<Bytes> {
        (self.state == BodyState::Finished).then(|| self.bytes.into())
    }
}
