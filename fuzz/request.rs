//! Bytes as a client could send them, through a whole connection and the component that is served.
#![no_main]

mod responses;

use std::ffi::OsString;
use std::sync::LazyLock;

use hyper_util::server::graceful::GracefulShutdown;
use libfuzzer_sys::fuzz_target;
use status_host::config::{self, Cli};
use status_host::sandbox::{self, Grant, Sandbox};
use status_host::server::{Admission, Service};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};
use tokio::runtime::{Builder, Runtime};

static SERVICE: LazyLock<(Runtime, Service)> = LazyLock::new(|| {
    let Ok(Cli { limits, .. }) = config::parse([OsString::from("status-host")]) else {
        panic!("the defaults are not valid")
    };
    let engine = sandbox::engine(limits.max_concurrency).unwrap();
    let loaded = sandbox::load(&engine, None).unwrap();
    let grant = Grant::new("1".to_owned(), "2".to_owned());
    let sandbox = Sandbox::new(&loaded, grant, limits.sandbox()).unwrap();
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    (runtime, Service::new(sandbox, ([127, 0, 0, 1], 5000).into(), &limits))
});

fuzz_target!(|bytes: &[u8]| {
    let (runtime, service) = &*SERVICE;
    let answer = runtime.block_on(async {
        let (client, server) = duplex(64 * 1024);
        let (mut reader, mut writer) = split(client);
        let send = async {
            // Fails where the service has heard enough.
            let _ = writer.write_all(bytes).await;
            let _ = writer.shutdown().await;
        };
        let receive = async {
            let mut answer = Vec::new();
            reader.read_to_end(&mut answer).await.unwrap();
            answer
        };
        let watcher = GracefulShutdown::new().watcher();
        let ((), (), answer) = tokio::join!(service.serve(server, Admission::Granted, watcher), send, receive);
        answer
    });
    responses::check(&answer);
});
