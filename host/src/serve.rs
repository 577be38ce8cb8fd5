//! The default command: serves the component until a signal ends it.

use std::env;
use std::io::{self, IsTerminal};
use std::sync::{Arc, RwLock};
use std::thread;

use prometheus_client::registry::Registry;
use tokio::runtime::{Builder, Runtime};
use tracing::info;

use crate::admin::{self, AdminServer, BuildInfo};
use crate::cli::{self, AdminAddress, LogFormat, ObservabilityArgs, ServeArgs};
use crate::error::Error;
use crate::health::{Health, Phase};
use crate::http::{Acceptor, Handler, RequestRecorder};
use crate::lockdown;
use crate::logging::{self, Format, LogGuard};
use crate::metrics::{self, Metrics, ProcessCollector};
use crate::process::{self, Signals};
use crate::sandbox::{self, GuestEnv, InvokeError, Limits, Sandbox};

const _: () = assert!(
    cli::MAX_MEMORY == sandbox::MAX_MEMORY,
    "--max-memory fits the reservation"
);

/// Guests that may run at a time for each worker thread. Each yields after a time slice of some milliseconds, so that
/// with more of them other tasks would wait longer.
const GUESTS_PER_WORKER: u32 = 4;

/// File descriptors beside the connections: standard streams, listeners, event loops, signals, and some to spare.
const RESERVED_FILE_DESCRIPTORS: u64 = 32 + admin::MAX_CONNECTIONS as u64;

const THREADS: &str = "raise the limits of threads (ulimit -u, pids cgroup) and of file descriptors (ulimit -n)";

/// Serves until a signal. Every failure comes before the first accepted connection.
pub(crate) fn run(args: &ServeArgs) -> Result<(), Error> {
    // First: without handlers, process 1 of a container ignores both signals. One that arrives during the start drains
    // the service right after it.
    let main_thread = runtime(1).map_err(Error::os("start the event loop", THREADS))?;
    let signals = {
        let _context = main_thread.enter();
        Signals::install().map_err(Error::os("install the signal handlers", THREADS))?
    };

    // What the configuration determines: cheap errors first.
    let limits = args.limits;
    let listen = args.listen.address()?;
    let env = GuestEnv::from_lookup(|name| env::var_os(name))?;
    let required = u64::from(limits.max_connections) + RESERVED_FILE_DESCRIPTORS;
    let limit = process::raise_nofile_limit();
    if limit < required {
        return Err(Error::FileDescriptors { required, limit });
    }
    // Before Landlock: it reads the CPU limit of the cgroup.
    let available = || thread::available_parallelism().map_or(1, |cpus| u16::try_from(cpus.get()).unwrap_or(u16::MAX));
    let workers = args.worker_threads.unwrap_or_else(available);

    let running = u32::from(workers) * GUESTS_PER_WORKER;
    let engine = sandbox::engine(running).map_err(|error| io::Error::other(format!("{error:#}")));
    let engine = engine.map_err(Error::os(
        "reserve the memory of the instance pool",
        "raise the limit of address space (ulimit -v), or lower --worker-threads",
    ))?;
    // Before Landlock and seccomp: it opens the file, and makes the memory image, with memfd_create(2).
    let component = sandbox::load(&engine, args.component.as_deref())?;
    let build_info = BuildInfo {
        app_version: env.app_version().to_owned(),
        commit_sha: env.commit_sha().to_owned(),
        host_version: env!("CARGO_PKG_VERSION"),
        wasmtime_version: env!("WASMTIME_VERSION"),
        component: component.name.clone(),
        component_sha256: component.sha256.clone(),
    };
    let sandbox_limits = Limits {
        timeout: limits.request_timeout,
        memory: limits.max_memory,
        running,
        waiting: limits.max_concurrency,
    };
    let sandbox = Sandbox::new(&component, env, sandbox_limits)?;

    let (listener, local_addr) = process::bind_or_inherit(listen, limits.client_timeout)?;
    let admin_listener = match args.observability.admin {
        AdminAddress::Off => None,
        AdminAddress::At(address) => Some(process::bind("--admin", address, limits.client_timeout)?),
    };
    let admin_addr = admin_listener.as_ref().map(|(_, address)| *address);

    let mut registry = Registry::default();
    metrics::register_constants(
        &mut registry,
        build_info.labels(),
        limits.max_connections,
        running,
        engine,
    );
    let metrics = Arc::new(Metrics::register(&mut registry, &InvokeError::KINDS));
    // Before Landlock: it opens a file in /proc/self.
    registry.register_collector(Box::new(ProcessCollector::open()));

    // Before any other thread, since Landlock restricts this thread and those that it starts later.
    let filesystem = lockdown::restrict_filesystem(args.lockdown);
    // The first of the threads, so that the others can log.
    let log = start_log(&args.observability, &metrics)?;
    let health = Health::starting();
    // Before the first instance, so that /readyz reports `starting`.
    if let Some((listener, _)) = admin_listener {
        let admin = AdminServer {
            registry,
            health: health.clone(),
            build_info: build_info.clone(),
        };
        admin
            .start(listener)
            .map_err(Error::os("start the admin thread", THREADS))?;
    }
    sandbox
        .spawn_epoch_thread()
        .map_err(Error::os("start the epoch thread", THREADS))?;
    let runtime = if workers == 1 {
        main_thread
    } else {
        let runtime = check_threads(workers).and_then(|()| runtime(workers.into()));
        runtime.map_err(Error::os("start the worker threads", THREADS))?
    };

    let served = runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener);
        let listener = listener.map_err(Error::os("register the listening socket", THREADS))?;
        tokio::spawn(health.clone().beat());
        // After the last thread has started, since the filter denies new ones; before any code of the component runs.
        let lockdown = filesystem.restrict_syscalls()?;
        let recorder = RequestRecorder::new(Arc::clone(&metrics), args.observability.access_log);
        let handler = Handler::new(sandbox, recorder, limits, health.clone());
        handler.warm_up().await.map_err(|cause| Error::WarmUp {
            component: build_info.component.clone(),
            cause,
        })?;
        // After the first instance, so that a failed start prints its error only.
        lockdown.log();
        health.set(Phase::Ready);
        info!(
            address = %local_addr,
            admin = admin_addr.map(tracing::field::display),
            component = build_info.component,
            sha256 = build_info.component_sha256,
            app_version = build_info.app_version,
            commit_sha = build_info.commit_sha,
            "serving"
        );
        let acceptor = Acceptor::new(handler, limits, health, metrics);
        acceptor.run_until_drained(listener, signals).await;
        Ok(())
    });
    // Dropping the runtime would wait for a guest that never yields.
    runtime.shutdown_background();
    // Writes the events that are queued.
    drop(log);
    served
}

/// Checks that so many threads can be started: tokio panics if one of its own cannot.
fn check_threads(count: u16) -> io::Result<()> {
    let all_started = RwLock::new(());
    thread::scope(|scope| {
        let _wait = all_started.write();
        let start = |_| thread::Builder::new().spawn_scoped(scope, || drop(all_started.read()));
        (0..count).try_for_each(|number| start(number).map(drop))
    })
}

/// One worker is the main thread, which would otherwise only wait.
fn runtime(workers: usize) -> io::Result<Runtime> {
    let mut builder = match workers {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.worker_threads(workers).enable_all().build()
}

fn start_log(args: &ObservabilityArgs, metrics: &Metrics) -> Result<LogGuard, Error> {
    let format = match args.log_format {
        LogFormat::Text => Format::Text,
        LogFormat::Auto if io::stderr().is_terminal() => Format::Text,
        LogFormat::Auto | LogFormat::Json => Format::Json,
    };
    let settings = logging::Settings {
        format,
        levels: &args.log_level,
        google_cloud_project: args.google_cloud_project.as_deref(),
    };
    logging::start(&settings, metrics.dropped_events.clone()).map_err(Error::os("start the log thread", THREADS))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::fs;

    use super::*;
    use crate::process::SEND_BUFFER;

    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;

    /// Resident memory of one connection; the tests measure that the worst request needs no more.
    const USER_MEMORY: u64 = 96 * KIB;

    /// What the kernel receives for a connection whose bytes are not read, by default (tcp(7), `tcp_rmem`).
    const RECEIVE_WINDOW: u64 = 64 * KIB;

    /// What the host stores for one request of a component, at most.
    const HOST_MEMORY: u64 = 16 * MIB;

    /// Code, heap and stacks, and the page tables of the instance pool.
    const BASE: u64 = 32 * MIB;

    /// The value of `key`, in the line after `before`.
    fn value_after<'a>(manifest: &'a str, before: &str, key: &str) -> Option<&'a str> {
        let (_, rest) = manifest.split_once(before)?;
        Some(rest.trim_start().lines().next()?.strip_prefix(key)?.trim_matches('"'))
    }

    #[test]
    fn memory_limit_of_the_manifest_covers_the_worst_case() {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/kubernetes/deployment.yaml");
        let manifest = fs::read_to_string(manifest).unwrap();
        let variables = ["MAX_CONNECTIONS", "MAX_MEMORY", "MAX_BODY", "WORKER_THREADS"].into_iter();
        let options = variables.filter_map(|variable| {
            let value = value_after(&manifest, &format!("- name: {variable}\n"), "value: ")?;
            Some(format!("--{}={value}", variable.to_lowercase().replace('_', "-")))
        });
        let arguments = ["status-host".to_owned()].into_iter().chain(options);
        let args = cli::parse(arguments.map(Into::into)).unwrap().serve;
        let workers = args.worker_threads.unwrap();

        // The kernel doubles a buffer, for its own structures (socket(7)).
        let kernel_memory = 2 * SEND_BUFFER as u64 + RECEIVE_WINDOW;
        let connections = u64::from(args.limits.max_connections) * (USER_MEMORY + kernel_memory);
        let guests = u64::from(workers) * u64::from(GUESTS_PER_WORKER);
        let guests = guests * (args.limits.max_memory as u64 + HOST_MEMORY);
        let limit = value_after(&manifest, "limits:\n", "memory: ").unwrap();
        let limit = limit.strip_suffix("Mi").unwrap().parse::<u64>().unwrap() * MIB;
        let needed = BASE + connections + guests;
        assert!(needed <= limit, "{} MiB of {} MiB", needed / MIB, limit / MIB);
    }
}
