//! A server with the embedded component, over an in-memory stream, for the fuzz target and the tests.

use std::ffi::OsString;
use std::sync::Arc;

use status_host::cli::{self, Cli};
use status_host::http::{Admission, ConnectionLimits, Http1Server, RequestRecorder};
use status_host::logging::Sampler;
use status_host::metrics::{Metrics, MetricsRegistry};
use status_host::sandbox::{self, GuestEnv, InvokeError, Limits, MachineCode, Sandbox};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};
use tokio::runtime::{Builder, Runtime};

/// Returns a server with default limits, except that no timeout expires on a busy machine.
pub fn service() -> (Runtime, Http1Server) {
    let args = ["status-host", "--request-timeout=1h", "--client-timeout=1h"];
    let Ok(Cli { serve, .. }) = cli::parse(args.map(OsString::from)) else {
        panic!("invalid arguments")
    };
    let engine = sandbox::engine(serve.limits.max_concurrency).unwrap();
    let component = sandbox::load(&engine, None, MachineCode::Denied).unwrap();
    let env = GuestEnv::new("1".to_owned(), "2".to_owned());
    let limits = Limits {
        timeout: serve.limits.request_timeout,
        memory: serve.limits.max_memory,
    };
    let sandbox = Sandbox::new(&component, env, limits).unwrap();
    sandbox.spawn_epoch_thread().unwrap();
    let metrics = Metrics::register(MetricsRegistry::default().host_scope(), &InvokeError::KINDS);
    let recorder = RequestRecorder::new(Arc::new(metrics), Sampler::new(0));
    let limits = ConnectionLimits {
        client_timeout: serve.limits.client_timeout,
        idle_timeout: serve.limits.idle_timeout,
        max_body: serve.limits.max_body,
    };
    let server = Http1Server::new(sandbox, recorder, ([127, 0, 0, 1], 5000).into(), limits);
    (Builder::new_current_thread().enable_time().build().unwrap(), server)
}

/// Returns the output of the server for a client that sends `bytes` and then closes its writing side.
pub fn answer((runtime, server): &(Runtime, Http1Server), bytes: &[u8]) -> Vec<u8> {
    let (client, stream) = duplex(64 * 1024);
    let (mut reader, mut writer) = split(client);
    let send = async {
        // Fails if the server closes the connection early.
        let _ = writer.write_all(bytes).await;
        let _ = writer.shutdown().await;
    };
    let receive = async {
        let mut output = Vec::new();
        reader.read_to_end(&mut output).await.unwrap();
        output
    };
    let serve = server.serve(stream, Admission::Admitted);
    let ((), (), output) = runtime.block_on(async { tokio::join!(serve, send, receive) });
    output
}
