//! One connection with the component that is served, in memory. The fuzz target and the replay of its corpus share it.

use std::ffi::OsString;
use std::sync::Arc;

use status_host::config::{self, Cli};
use status_host::sandbox::{self, Grant, Sandbox};
use status_host::server::{Admission, Observer, Service};
use status_host::telemetry::{Exposition, Metrics, Sample};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};
use tokio::runtime::{Builder, Runtime};

/// A service with its defaults, and what runs it.
pub fn service() -> (Runtime, Service) {
    let Ok(Cli { limits, .. }) = config::parse([OsString::from("status-host")]) else {
        panic!("the defaults are not valid")
    };
    let engine = sandbox::engine(limits.max_concurrency).unwrap();
    let loaded = sandbox::load(&engine, None).unwrap();
    let grant = Grant::new("1".to_owned(), "2".to_owned());
    let metrics = Arc::new(Metrics::new(Exposition::default().add_host()));
    let sandbox = Sandbox::new(&loaded, grant, limits.sandbox(), Arc::clone(&metrics)).unwrap();
    let observer = Observer::new(metrics, Sample::new(0));
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    (
        runtime,
        Service::new(sandbox, observer, ([127, 0, 0, 1], 5000).into(), &limits),
    )
}

/// What comes back where a client sends `bytes` and no more.
pub fn answer((runtime, service): &(Runtime, Service), bytes: &[u8]) -> Vec<u8> {
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
    let serve = service.serve(server, Admission::Granted);
    let ((), (), answer) = runtime.block_on(async { tokio::join!(serve, send, receive) });
    answer
}
