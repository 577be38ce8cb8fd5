//! What every metric has measured at the end of the scenario.

/// An expression for each metric that holds at the end of the scenario. `{app}`, `{probe}`, `{limited}` and `{starved}`
/// are its instances.
pub const EXPECTED: [(&str, &str); 23] = [
    (
        "status_host_build_info",
        "count(status_host_build_info{commit_sha=~'0123.*'}) == 4",
    ),
    (
        "status_host_http_requests_total",
        "resets(status_host_http_requests_total{instance='{app}', method='GET', status='200'}[1h]) == 1",
    ),
    (
        "status_host_http_request_duration_seconds_bucket",
        "sum(rate(status_host_http_request_duration_seconds_bucket{instance='{app}', le='+Inf'}[1h])) > 0",
    ),
    (
        "status_host_http_request_duration_seconds_count",
        "sum(rate(status_host_http_request_duration_seconds_count{instance='{app}'}[1h])) > 0",
    ),
    // Timeouts of 200 ms, of all instances.
    (
        "status_host_http_request_duration_seconds_sum",
        "status_host_http_request_duration_seconds_sum{instance='{limited}', route='other', class='5xx'} > 0.4",
    ),
    (
        "status_host_http_requests_in_flight",
        "max_over_time(status_host_http_requests_in_flight{instance='{limited}'}[1h]) >= 1 and status_host_http_requests_in_flight == 0",
    ),
    (
        "status_host_connections_open",
        "max_over_time(status_host_connections_open{instance='{limited}'}[1h]) == 8",
    ),
    (
        "status_host_connections_limit",
        "status_host_connections_limit{instance='{limited}'} == 8",
    ),
    (
        "status_host_connections_accepted_total",
        "status_host_connections_accepted_total{instance='{limited}'} > 304",
    ),
    (
        "status_host_connections_refused_total",
        "sum(status_host_connections_refused_total{instance='{limited}'}) > 296",
    ),
    (
        "status_host_accept_failures_total",
        "status_host_accept_failures_total{instance='{starved}'} > 0",
    ),
    (
        "status_host_instances_in_use",
        "max_over_time(status_host_instances_in_use{instance='{limited}'}[1h]) <= 4 and status_host_instances_in_use == 0",
    ),
    (
        "status_host_instances_limit",
        "status_host_instances_limit{instance='{limited}'} == 4",
    ),
    (
        "status_host_instance_creation_duration_seconds_bucket",
        "sum(status_host_instance_creation_duration_seconds_bucket{instance='{app}', le='2.5'}) > 0",
    ),
    // One at the start, and one for each request that was not rejected.
    (
        "status_host_instance_creation_duration_seconds_count",
        "sum(status_host_instance_creation_duration_seconds_count{instance='{app}'}) - sum(status_host_http_requests_total{instance='{app}', status!~'400|505'}) == 1",
    ),
    (
        "status_host_instance_creation_duration_seconds_sum",
        "status_host_instance_creation_duration_seconds_sum{instance='{app}'} > 0",
    ),
    (
        "status_host_guest_seconds_total",
        "status_host_guest_seconds_total{instance='{limited}'} > 0.4",
    ),
    (
        "status_host_guest_failures_total",
        "sum(status_host_guest_failures_total{instance='{app}'}) == 0",
    ),
    (
        "status_host_log_events_lost_total",
        "status_host_log_events_lost_total{instance='{starved}'} > 0",
    ),
    (
        "process_cpu_seconds_total",
        "rate(process_cpu_seconds_total{instance='{app}'}[1h]) > 0",
    ),
    (
        "process_start_time_seconds",
        "changes(process_start_time_seconds{instance='{app}'}[1h]) == 1",
    ),
    (
        "process_resident_memory_bytes",
        "process_resident_memory_bytes{instance='{app}'} > 1e6 and process_resident_memory_bytes < 1e9 and process_resident_memory_bytes < process_virtual_memory_bytes",
    ),
    (
        "process_open_fds",
        "max_over_time(process_open_fds{instance='{limited}'}[1h]) > 264 and process_open_fds < process_max_fds",
    ),
];

/// Metrics that the expressions above use beside another one.
pub const ALSO_USED: [&str; 2] = ["process_virtual_memory_bytes", "process_max_fds"];
