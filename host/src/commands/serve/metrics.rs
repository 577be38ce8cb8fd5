//! The metrics of this process: counters, build information and limits. Registered before Landlock, since some of them
//! read files that have to be open by then.

use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use wasmtime::Engine;

use crate::admin::BuildInfo;
use crate::metrics::{InstancesInUse, Metrics, MetricsRegistry, ProcessCollector};
use crate::sandbox::{GuestEnv, InvokeError, LoadedComponent};

/// Maximum numbers of connections and instances.
#[derive(Clone, Copy)]
pub(super) struct Capacity {
    pub(super) connections: u32,
    pub(super) instances: u32,
}

pub(super) fn register(
    build_info: &BuildInfo,
    engine: &Engine,
    capacity: Capacity,
    process: ProcessCollector,
) -> (MetricsRegistry, Metrics) {
    let mut registry = MetricsRegistry::default();
    let host = registry.host_scope();
    host.register(
        "build",
        "Versions of application, host and runtime, and the digest of the component",
        Info::new(build_info.labels()),
    );
    let metrics = Metrics::register(host, &InvokeError::KINDS);
    host.register(
        "connections_limit",
        "Maximum number of open connections",
        ConstGauge::new(capacity.connections),
    );
    host.register(
        "instances_in_use",
        "Instances of the component that exist now",
        InstancesInUse(engine.clone()),
    );
    host.register(
        "instances_limit",
        "Maximum number of concurrent instances of the component",
        ConstGauge::new(capacity.instances),
    );
    registry.registry().register_collector(Box::new(process));
    (registry, metrics)
}

pub(super) fn build_info(env: &GuestEnv, component: &LoadedComponent) -> BuildInfo {
    BuildInfo {
        app_version: env.app_version().to_owned(),
        commit_sha: env.commit_sha().to_owned(),
        host_version: env!("CARGO_PKG_VERSION"),
        wasmtime_version: env!("WASMTIME_VERSION"),
        component: component.name.clone(),
        component_sha256: component.sha256.clone(),
    }
}
