//! What the admin port tells of this process: put together before it is locked.

use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use wasmtime::Engine;

use crate::admin::BuildInfo;
use crate::sandbox::{Grant, InstancesInUse, Loaded};
use crate::telemetry::{Exposition, Metrics, Process};

/// How many there can be at the same time.
#[derive(Clone, Copy)]
pub(super) struct Most {
    pub(super) connections: u32,
    pub(super) instances: u32,
}

/// The metrics of this process, and what it counts in.
pub(super) fn metrics(build: &BuildInfo, engine: &Engine, most: Most, process: Process) -> (Exposition, Metrics) {
    let mut exposition = Exposition::default();
    let host = exposition.add_host();
    host.register(
        "build",
        "What the process was built from, and what it serves",
        Info::new(labels(build)),
    );
    let metrics = Metrics::new(host);
    host.register(
        "connections_limit",
        "Connections that can be open at the same time",
        ConstGauge::new(most.connections),
    );
    host.register(
        "instances_in_use",
        "Instances of the component that live now",
        InstancesInUse(engine.clone()),
    );
    host.register(
        "instances_limit",
        "Instances of the component that can live at the same time",
        ConstGauge::new(most.instances),
    );
    exposition.registry().register_collector(Box::new(process));
    (exposition, metrics)
}

/// What the process is built from, and serves.
pub(super) fn build(grant: &Grant, loaded: &Loaded) -> BuildInfo {
    BuildInfo {
        app_version: grant.app_version().to_owned(),
        commit_sha: grant.commit_sha().to_owned(),
        host_version: env!("CARGO_PKG_VERSION"),
        wasmtime_version: env!("WASMTIME_VERSION"),
        component: loaded.name.clone(),
        component_sha256: loaded.sha256.clone(),
    }
}

fn labels(build: &BuildInfo) -> Vec<(&'static str, String)> {
    vec![
        ("app_version", build.app_version.clone()),
        ("commit_sha", build.commit_sha.clone()),
        ("host_version", build.host_version.to_owned()),
        ("wasmtime_version", build.wasmtime_version.to_owned()),
        ("component_sha256", build.component_sha256.clone()),
    ]
}
