//! Fuzzes a connection, and the component behind it, with arbitrary bytes from the client.
#![no_main]

mod connection;
mod responses;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use status_host::http::Http1Server;
use tokio::runtime::Runtime;

static SERVICE: LazyLock<(Runtime, Http1Server)> = LazyLock::new(connection::service);

fuzz_target!(|bytes: &[u8]| responses::check(&connection::answer(&SERVICE, bytes)));
