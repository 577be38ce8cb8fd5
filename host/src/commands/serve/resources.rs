//! Phase 2: everything that opens something, or that can fail because of the configuration.

use std::env;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use wasmtime::Engine;

use super::metrics::{Capacity, build_info, register};
use crate::admin::{self, BuildInfo};
use crate::cli::{AdminAddress, MAX_MEMORY, ServeArgs};
use crate::commands::engine::{engine, machine_code};
use crate::error::Error;
use crate::http::connection_memory;
use crate::metrics::{Metrics, MetricsRegistry, ProcessCollector};
use crate::process::{self, BlockedSignals, ConnectionCapacity, ProcessLimits};
use crate::sandbox::{self, GuestEnv, Limits, LoadedComponent, MEMORY_RESERVATION, Sandbox};

const _: () = assert!(MAX_MEMORY == MEMORY_RESERVATION, "--max-memory fits the reservation");

const IMAGE: &str = "raise the limit of file descriptors (ulimit -n), or allow memfd_create in the seccomp profile";

/// Everything that the service opens, and the values derived from it.
pub(super) struct Resources {
    pub(super) signals: BlockedSignals,
    pub(super) capacity: ConnectionCapacity,
    pub(super) worker_threads: usize,
    pub(super) listener: TcpListener,
    pub(super) local_addr: SocketAddr,
    pub(super) admin_listener: Option<(TcpListener, SocketAddr)>,
    pub(super) sandbox: Sandbox,
    pub(super) build_info: BuildInfo,
    pub(super) registry: MetricsRegistry,
    pub(super) metrics: Arc<Metrics>,
}

impl Resources {
    /// `None` if a signal arrives meanwhile.
    pub(super) fn acquire(signals: BlockedSignals, args: &ServeArgs) -> Result<Option<Self>, Error> {
        // Before the collector, which stores the limit.
        let fd_limit = process::raise_nofile_limit();
        // Before Landlock: it opens files in /proc/self.
        let collector = ProcessCollector::open(fd_limit);
        // Before the engine: cheap errors first.
        let address = args.listen.address()?;
        let env = GuestEnv::from_lookup(|name| env::var_os(name))?;
        let remedy = "raise the limit of address space (ulimit -v), or lower --max-concurrency";
        let engine = engine(args.component.file(), args.limits.max_concurrency, remedy)?;
        let Some(component) = load(&signals, &engine, args)? else {
            return Ok(None);
        };
        component
            .create_memory_image()
            .map_err(Error::os("create the memory image", IMAGE))?;
        let build_info = build_info(&env, &component);
        let sandbox = Sandbox::new(&component, env, sandbox_limits(args))?;
        let (listener, local_addr, sharing) = process::bind_or_inherit(address)?;
        let admin_listener = match args.logging.admin {
            AdminAddress::Off => None,
            AdminAddress::At(address) => Some(process::bind_admin(address, sharing)?),
        };
        let capacity = capacity(args, fd_limit, &collector);
        let limits = Capacity {
            connections: capacity.connections,
            instances: args.limits.max_concurrency,
        };
        let (registry, metrics) = register(&build_info, &engine, limits, collector);
        Ok(Some(Self {
            signals,
            capacity,
            worker_threads: args.worker_threads.map_or_else(available_cpus, usize::from),
            listener,
            local_addr,
            admin_listener,
            sandbox,
            build_info,
            registry,
            metrics: Arc::new(metrics),
        }))
    }
}

/// Call it before Landlock: it reads the CPU limit of the cgroup.
fn available_cpus() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Compiling a component takes seconds, in which a signal ends the process.
fn load(signals: &BlockedSignals, engine: &Engine, args: &ServeArgs) -> Result<Option<LoadedComponent>, Error> {
    let (engine, file) = (engine.clone(), args.component.file().map(Path::to_owned));
    let machine_code = machine_code(&args.component);
    let loaded = signals.unless_signaled(move || sandbox::load(&engine, file.as_deref(), machine_code));
    Ok(loaded.map_err(Error::thread)?.transpose()?)
}

/// Call it after both listeners, so that their descriptors are counted, and before Landlock, since it reads files.
fn capacity(args: &ServeArgs, fd_limit: u64, collector: &ProcessCollector) -> ConnectionCapacity {
    let limits = ProcessLimits {
        fds: fd_limit,
        reserved_fds: collector.open_fds().unwrap_or_default() + admin::MAX_CONNECTIONS as u64,
        memory: process::memory_limit(),
        connection_memory: connection_memory(args.limits.max_body) as u64,
    };
    ConnectionCapacity::new(limits, args.limits.max_connections)
}

fn sandbox_limits(args: &ServeArgs) -> Limits {
    Limits {
        timeout: args.limits.request_timeout,
        memory: args.limits.max_memory,
    }
}
