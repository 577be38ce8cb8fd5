//! End-to-end tests: the real binary over real sockets. What a test in memory can show is tested beside the code.
//!
//! They are one binary, so that wasmtime is linked once. The tests run in parallel, in one process: none changes the
//! working directory, the environment or the limits of that process. A test must pass on a machine of any speed. It
//! waits for a condition (`support::wait`), and a time limit is short only in the test of that limit.
//!
//! `STATUS_HOST` is the path of another binary to test. `contract`, `load`, `ops` and `stock` work with one that has no
//! compiler; the others serve components from files.

#![allow(
    clippy::unwrap_used,
    clippy::unwrap_in_result,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking, and prints measurements"
)]

mod admin;
mod clients;
mod commands;
mod configuration;
mod contract;
mod differential;
mod guests;
mod lifecycle;
#[cfg(feature = "load")]
mod load;
mod lockdown;
mod log;
mod metrics;
#[cfg(feature = "ops")]
mod ops;
mod restarts;
mod sandbox;
#[cfg(feature = "stock-runtime")]
mod stock;
mod support;
