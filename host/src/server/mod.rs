//! The service port: from the bound socket to the last answer of a drain.
//!
//! | file | what it holds |
//! |---|---|
//! | `accept` | connections, from accept to close |
//! | `answer` | one request, one response, whatever happens |
//! | `authority` | the rules for `Host` |
//! | `problem` | the responses of the host itself |
//! | `stop` | the signals that end the service |

mod accept;
mod answer;
mod authority;
mod problem;
mod stop;

use std::env;
use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tracing::info;

use crate::config::{self, Cli};
use crate::error::Error;
use crate::sandbox::{self, Sandbox};
use crate::telemetry;
use stop::Signals;

/// Serves until a signal ends it. Whatever can fail does so before the socket is open.
///
/// # Errors
///
/// [`Error`], when the configuration is wrong, the component cannot be served, or the address cannot be listened on.
pub fn run(cli: &Cli) -> Result<(), Error> {
    let listen = cli.listen.address()?;
    let grant = config::grant(|name| env::var_os(name))?;
    let runtime = runtime().map_err(Error::system("start the threads of the service"))?;
    // First of all: a signal that comes early is not lost, which for process 1 of a container it would be.
    let signals = Signals::new(&runtime).map_err(Error::system("listen for signals"))?;
    let engine = sandbox::engine()?;
    let loaded = sandbox::load(&engine, cli.source.file())?;
    let sandbox = Sandbox::new(&loaded, grant.clone())?;
    telemetry::start();
    let served = runtime.block_on(async {
        let bound = bind(listen).await;
        let (listener, address) = bound.map_err(|cause| Error::Listen { address: listen, cause })?;
        info!(
            %address,
            component = loaded.name,
            sha256 = loaded.sha256,
            app_version = grant.app_version(),
            commit_sha = grant.commit_sha(),
            "serving /status"
        );
        accept::serve(listener, address, Arc::new(sandbox), signals).await;
        Ok(())
    });
    // Not by dropping it, which would wait for a guest that never ends.
    runtime.shutdown_background();
    served
}

fn runtime() -> io::Result<Runtime> {
    // What tokio opens for signals it opens with a panic where it cannot, so it is tried before.
    let files = [UnixStream::pair()?, UnixStream::pair()?, UnixStream::pair()?];
    drop(files);
    Runtime::new()
}

/// Port 0 asks for any free one, which is why the address that was given is returned.
async fn bind(listen: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
