//! The service port: from the bound socket to the last answer of a drain.
//!
//! | file | what it holds |
//! |---|---|
//! | `listen` | the socket |
//! | `accept` | connections: room for them, and their drain |
//! | `connection` | one connection |
//! | `screen`, `delivery` | its reading side, its writing side |
//! | `ending` | what the two know of its end |
//! | `head` | the rules for the head of a request |
//! | `authority` | the rules for `Host` |
//! | `answer` | one request, one response, whatever happens |
//! | `problem` | the responses of the host itself |
//! | `stop` | the signals that end the service |

mod accept;
mod answer;
mod authority;
mod connection;
mod delivery;
mod ending;
pub mod head;
mod listen;
mod problem;
mod screen;
mod stop;

use std::env;
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::net::UnixStream;
use std::sync::RwLock;
use std::thread;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::runtime::{Builder, Runtime};
use tracing::{info, warn};

use crate::config::{self, Cli, Limits};
use crate::error::Error;
use crate::lockdown;
use crate::sandbox::{self, Sandbox};
use crate::telemetry;
use accept::Accept;
use stop::Held;

pub use connection::{Admission, Service};
pub use problem::Rejection;

/// Files that are open beside the connections.
const FILES: u64 = 64;

/// Serves until a signal ends it. Whatever can fail does so before the first connection is accepted.
///
/// # Errors
///
/// [`Error`], when the configuration is wrong, the component cannot be served, the address cannot be listened on, or
/// the lockdown that is required cannot be had.
pub fn run(cli: &Cli) -> Result<(), Error> {
    // First of all: a signal that comes early is not lost.
    let held = Held::new().map_err(Error::system("hold signals back"))?;
    let address = cli.listen.address()?;
    let grant = config::grant(|name| env::var_os(name))?;
    let engine = sandbox::engine(cli.limits.max_concurrency)?;
    let loaded = sandbox::load(&engine, cli.source.file())?;
    let (listener, local) = listen::listen(address)?;
    let files = raise_files();
    let workers = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    // All threads are started from here on.
    let locking = lockdown::begin(cli.lockdown);
    let sandbox = Sandbox::new(&loaded, grant.clone(), cli.limits.sandbox())?;
    let _log = telemetry::start().map_err(Error::system("start the log"))?;
    let service = Service::new(sandbox, local, &cli.limits);
    let runtime = runtime(workers).map_err(Error::system("start the threads of the service"))?;
    let served = runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).map_err(Error::system("watch the socket"))?;
        let signals = held.release().map_err(Error::system("listen for signals"))?;
        locking.complete()?;
        warn_of_files(files, &cli.limits);
        info!(
            address = %local,
            component = loaded.name,
            sha256 = loaded.sha256,
            app_version = grant.app_version(),
            commit_sha = grant.commit_sha(),
            "serving /status"
        );
        Accept::new(service, cli.limits).serve(listener, signals).await;
        Ok(())
    });
    // Not by dropping it, which would wait for a guest that never ends.
    runtime.shutdown_background();
    served
}

/// Makes the runtime. Where tokio cannot have a thread, or the files for signals, it panics, so both are tried before.
fn runtime(workers: usize) -> io::Result<Runtime> {
    let files = [UnixStream::pair()?, UnixStream::pair()?, UnixStream::pair()?];
    drop(files);
    let all_are_there = RwLock::new(());
    let started: io::Result<()> = thread::scope(|scope| {
        let _wait = all_are_there.write();
        let start = |_| thread::Builder::new().spawn_scoped(scope, || drop(all_are_there.read()));
        (0..workers).try_for_each(|worker| start(worker).map(drop))
    });
    started?;
    Builder::new_multi_thread().worker_threads(workers).enable_all().build()
}

/// Allows this process as many open files as it may allow itself, and returns how many that are.
fn raise_files() -> u64 {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, hard)| {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        Ok(hard)
    });
    raised.unwrap_or(u64::MAX)
}

fn warn_of_files(files: u64, limits: &Limits) {
    if files < u64::from(limits.max_connections) + FILES {
        warn!(
            files,
            max_connections = limits.max_connections,
            "fewer files can be open than connections are allowed; raise the limit of open files, or lower --max-connections"
        );
    }
}
