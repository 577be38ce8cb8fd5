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
//! | `observation` | one request as it is counted |
//! | `problem` | the responses of the host itself |
//! | `stop` | the signals that end the service |
//! | `files` | how many files can be open |
//! | `expose` | what the admin port tells of |

mod accept;
mod answer;
mod authority;
mod connection;
mod delivery;
mod ending;
mod expose;
mod files;
pub mod head;
mod listen;
mod observation;
mod problem;
mod screen;
mod stop;

use std::env;
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, RwLock};
use std::thread;

use tokio::runtime::Builder;
use tracing::info;

use crate::admin::{Admin, Phase, Readiness};
use crate::config::{self, AdminAddress, Cli};
use crate::error::Error;
use crate::lockdown;
use crate::sandbox::{self, Sandbox};
use crate::telemetry::{self, Process, Sample};
use accept::Accept;
use expose::Most;
use stop::Held;

pub use connection::{Admission, Service};
pub use observation::Observer;
pub use problem::Rejection;

/// Serves until a signal ends it. Whatever can fail does so before the first connection is accepted.
///
/// # Errors
///
/// [`Error`], when the configuration is wrong, the component cannot be served, the address cannot be listened on, or
/// the lockdown that is required cannot be had.
pub fn run(cli: &Cli) -> Result<(), Error> {
    // First of all: a signal that comes early is not lost.
    let held = Held::new().map_err(Error::system("hold signals back"))?;
    let files = files::raise();
    let process = Process::open(files);
    let address = cli.listen.address()?;
    let grant = config::grant(|name| env::var_os(name))?;
    let engine = sandbox::engine(cli.limits.max_concurrency)?;
    let loaded = sandbox::load(&engine, cli.source.file())?;
    let (listener, local, port) = listen::listen(address)?;
    let admin_listener = match cli.observability.admin {
        AdminAddress::Off => None,
        AdminAddress::At(address) => Some(listen::listen_for_admin(address, port)?),
    };
    let wanted = cli.limits.max_connections;
    let room = files::room(files, process.open_files().unwrap_or_default(), wanted);
    let workers = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let build = expose::build(&grant, &loaded);
    let most = Most {
        connections: room.connections,
        instances: cli.limits.max_concurrency,
    };
    let (exposition, metrics) = expose::metrics(&build, &engine, most, process);
    let metrics = Arc::new(metrics);
    // All threads are started from here on.
    let locking = lockdown::begin(cli.lockdown);
    let lost = metrics.lost_events.clone();
    let _log = telemetry::start(&cli.observability.logging, lost).map_err(Error::system("start the log"))?;
    try_threads(workers).map_err(Error::system("start the threads of the service"))?;
    let readiness = Readiness::default();
    let mut admin_address = None;
    if let Some((listener, local)) = admin_listener {
        admin_address = Some(tracing::field::display(local));
        let admin = Admin {
            exposition,
            readiness: readiness.clone(),
            build,
        };
        admin.start(listener).map_err(Error::system("start the admin port"))?;
    }
    let sandbox = Sandbox::new(&loaded, grant.clone(), cli.limits.sandbox(), Arc::clone(&metrics))?;
    let observer = Observer::new(Arc::clone(&metrics), Sample::new(cli.observability.access_log));
    let service = Service::new(sandbox, observer, local, &cli.limits);
    let runtime = Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    let runtime = runtime.map_err(Error::system("start the threads of the service"))?;
    let served = runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).map_err(Error::system("watch the socket"))?;
        let signals = held.release().map_err(Error::system("listen for signals"))?;
        locking.complete()?;
        files::warn(files, wanted, room);
        readiness.set(Phase::Ready);
        info!(
            address = %local,
            admin = admin_address,
            component = loaded.name,
            sha256 = loaded.sha256,
            app_version = grant.app_version(),
            commit_sha = grant.commit_sha(),
            "serving /status"
        );
        Accept::new(service, room, cli.limits, readiness, metrics)
            .serve(listener, signals)
            .await;
        Ok(())
    });
    // Not by dropping it, which would wait for a guest that never ends.
    runtime.shutdown_background();
    served
}

/// Tries whether the threads of the service can be had, and the files for signals: where tokio cannot have them it
/// panics.
fn try_threads(workers: usize) -> io::Result<()> {
    let files = [UnixStream::pair()?, UnixStream::pair()?, UnixStream::pair()?];
    drop(files);
    let all_are_there = RwLock::new(());
    thread::scope(|scope| {
        let _wait = all_are_there.write();
        let start = |_| thread::Builder::new().spawn_scoped(scope, || drop(all_are_there.read()));
        (0..workers).try_for_each(|worker| start(worker).map(drop))
    })
}
