//! Reader, writer and close state over an in-memory stream, with paused time: a sleeping test advances the clock.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod body;
mod reader;
mod writer;
