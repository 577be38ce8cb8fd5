//! Each metric counts what its HELP text says.

mod connections;
mod events;
mod process;
mod requests;
