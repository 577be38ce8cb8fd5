//! Phase 4: starts all threads, forbids the system calls that serving does not need, then runs the component.

use std::io::{self, IsTerminal};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::sync::RwLock;
use std::thread;

use tokio::runtime::{Builder, Runtime};
use tracing::{info, warn};

use super::confined::Confined;
use crate::admin::{AdminServer, BuildInfo};
use crate::cli::{LogFormat, LoggingArgs, ServeArgs};
use crate::error::Error;
use crate::http::{Acceptor, ConnectionLimits, DrainLimits, Http1Server, RequestRecorder};
use crate::lockdown::FilesystemLocked;
use crate::logging::{self, LogGuard, Sampler};
use crate::metrics::Metrics;
use crate::process::{BlockedSignals, ConnectionCapacity, Heartbeat, Phase, Readiness};

const REMEDY: &str = "raise the limits of threads (ulimit -u, pids cgroup) and of file descriptors (ulimit -n)";

/// The admin thread and the epoch thread.
const OTHER_THREADS: usize = 2;

/// The threads, and the work for them.
pub(super) struct Threads {
    runtime: Runtime,
    service: Service,
    /// Dropped last: it writes the events that are queued.
    log: LogGuard,
}

/// The service, ready to run.
struct Service {
    signals: BlockedSignals,
    server: Http1Server,
    listener: TcpListener,
    capacity: ConnectionCapacity,
    drain_limits: DrainLimits,
    readiness: Readiness,
    filesystem: FilesystemLocked,
    build_info: BuildInfo,
    invalid_log_levels: Option<String>,
    admin_addr: Option<SocketAddr>,
}

impl Confined {
    pub(super) fn spawn_threads(self, args: &ServeArgs) -> Result<Threads, Error> {
        let Self { resources, filesystem } = self;
        // First, so that the other threads can log.
        let log = start_log(&args.logging, &resources.metrics)?;
        let threads = OTHER_THREADS + resources.worker_threads;
        check_thread_limit(threads).map_err(Error::os("start the threads", REMEDY))?;
        let (readiness, heartbeat) = (Readiness::default(), Heartbeat::start());
        let admin = AdminServer {
            registry: resources.registry,
            readiness: readiness.clone(),
            heartbeat: heartbeat.clone(),
            build_info: resources.build_info.clone(),
        };
        // Before the first instance, so that /readyz reports `starting`.
        let admin_addr = start_admin(admin, resources.admin_listener)?;
        let sandbox = resources.sandbox;
        sandbox
            .spawn_epoch_thread()
            .map_err(Error::os("start the epoch thread", REMEDY))?;
        let runtime = runtime(resources.worker_threads).map_err(Error::os("start the worker threads", REMEDY))?;
        runtime.spawn(heartbeat.beat());
        let recorder = RequestRecorder::new(resources.metrics, Sampler::new(args.logging.access_log));
        let service = Service {
            signals: resources.signals,
            server: Http1Server::new(sandbox, recorder, resources.local_addr, connection_limits(args)),
            listener: resources.listener,
            capacity: resources.capacity,
            drain_limits: drain_limits(args),
            readiness,
            filesystem,
            build_info: resources.build_info,
            invalid_log_levels: args.logging.log_level.invalid.clone(),
            admin_addr,
        };
        Ok(Threads { runtime, service, log })
    }
}

impl Threads {
    pub(super) fn serve(self) -> Result<(), Error> {
        let Self { runtime, service, log } = self;
        let served = runtime.block_on(service.run());
        // Dropping the runtime would wait for a guest that never yields.
        runtime.shutdown_background();
        drop(log);
        served
    }
}

impl Service {
    async fn run(self) -> Result<(), Error> {
        let listener = tokio::net::TcpListener::from_std(self.listener);
        let listener = listener.map_err(Error::os("register the listening socket", REMEDY))?;
        let signals = self
            .signals
            .unblock()
            .map_err(Error::os("install the signal handlers", REMEDY))?;
        // After the last thread has started, since the filter denies new ones; before any code of the component runs.
        let lockdown = self.filesystem.restrict_syscalls()?;
        let warm_up = self.server.warm_up().await;
        warm_up.map_err(|cause| Error::WarmUp {
            component: self.build_info.component.clone(),
            cause,
        })?;
        // After the first instance, so that a failed start prints its error only.
        if let Some(value) = self.invalid_log_levels {
            warn!(value, "RUST_LOG or --log-level is invalid; logging at level info");
        }
        lockdown.log();
        self.capacity.log();
        self.readiness.set(Phase::Ready);
        info!(
            address = %self.server.local_addr(),
            admin = self.admin_addr.map(tracing::field::display),
            component = self.build_info.component,
            sha256 = self.build_info.component_sha256,
            app_version = self.build_info.app_version,
            commit_sha = self.build_info.commit_sha,
            "serving"
        );
        Acceptor::new(self.server, self.capacity, self.drain_limits, self.readiness)
            .run_until_drained(listener, signals)
            .await;
        Ok(())
    }
}

/// One worker is the main thread, which would otherwise only wait.
fn runtime(workers: usize) -> io::Result<Runtime> {
    let mut builder = match workers {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.worker_threads(workers).enable_all().build()
}

fn start_log(args: &LoggingArgs, metrics: &Metrics) -> Result<LogGuard, Error> {
    let is_text = match args.log_format {
        LogFormat::Auto => io::stderr().is_terminal(),
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let settings = logging::Settings {
        format: if is_text {
            logging::Format::Text
        } else {
            logging::Format::Json
        },
        levels: args.log_level.targets.clone(),
        google_cloud_project: args.google_cloud_project.clone(),
    };
    let (dropped, suppressed) = (metrics.dropped_events.clone(), metrics.suppressed_events.clone());
    logging::start(settings, dropped, suppressed).map_err(Error::os("start the log thread", REMEDY))
}

fn start_admin(
    admin: AdminServer,
    listener: Option<(std::net::TcpListener, SocketAddr)>,
) -> Result<Option<SocketAddr>, Error> {
    let Some((listener, address)) = listener else {
        return Ok(None);
    };
    admin
        .start(listener)
        .map_err(Error::os("start the admin thread", REMEDY))?;
    Ok(Some(address))
}

/// Checks that so many threads, and the descriptors for signals, are available: without them tokio panics, or hangs.
fn check_thread_limit(threads: usize) -> io::Result<()> {
    let descriptors = [UnixStream::pair()?, UnixStream::pair()?, UnixStream::pair()?];
    drop(descriptors);
    let all_started = RwLock::new(());
    thread::scope(|scope| {
        let _wait = all_started.write();
        let start = |_| thread::Builder::new().spawn_scoped(scope, || drop(all_started.read()));
        (0..threads).try_for_each(|number| start(number).map(drop))
    })
}

fn connection_limits(args: &ServeArgs) -> ConnectionLimits {
    ConnectionLimits {
        client_timeout: args.limits.client_timeout,
        idle_timeout: args.limits.idle_timeout,
        max_body: args.limits.max_body,
    }
}

fn drain_limits(args: &ServeArgs) -> DrainLimits {
    DrainLimits {
        delay: args.limits.drain_delay,
        timeout: args.limits.drain_timeout,
    }
}
