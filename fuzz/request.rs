//! Bytes as a client could send them, through a whole connection and the component that is served.
#![no_main]

mod connection;
mod responses;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use status_host::server::Service;
use tokio::runtime::Runtime;

static SERVICE: LazyLock<(Runtime, Service)> = LazyLock::new(connection::service);

fuzz_target!(|bytes: &[u8]| responses::check(&connection::answer(&SERVICE, bytes)));
