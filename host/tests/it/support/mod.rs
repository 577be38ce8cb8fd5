//! Runs the binary on a free port and talks to it over a socket.

pub mod client;
pub mod command;
pub mod component;
pub mod log;
pub mod metrics;
pub mod process;
pub mod seccomp;
pub mod server;
pub mod wait;

pub use client::{Response, connect, finish, get_keep_alive, read_to_close, send, try_get_keep_alive, try_send};
pub use command::{
    COMMIT, VERSION, assert_refused, free_addr, run, status_host, status_host_after, with_inherited_socket,
};
pub use process::Process;
pub use server::TestServer;
pub use wait::{TEST_TIMEOUT, eventually, wait_until};
