//! What every metric has measured at the end of the scenario.

/// Expressions that hold. Each metric occurs in one of them. `{app}`, `{probe}`, `{limited}` and `{starved}` are
/// instances.
pub const EXPRESSIONS: &str = "
count(status_host_build_info{commit_sha=~'0123.*'}) == 4
resets(status_host_http_requests_total{instance='{app}', method='GET', status='200'}[1h]) == 1
sum(rate(status_host_http_request_duration_seconds_bucket{instance='{app}', le='+Inf'}[1h])) > 0
sum(rate(status_host_http_request_duration_seconds_count{instance='{app}'}[1h])) > 0
status_host_http_request_duration_seconds_sum{instance='{limited}', route='other', class='5xx'} > 0.4
count(status_host_http_requests_in_flight == 0) == 4
max_over_time(status_host_connections_open{instance='{limited}'}[1h]) == 8
status_host_connections_limit{instance='{limited}'} == 8
status_host_connections_accepted_total{instance='{limited}'} > 304
sum(status_host_connections_refused_total{instance='{limited}'}) > 296
sum(status_host_connections_evicted_total{instance='{app}'}) == 0
status_host_accept_failures_total{instance='{starved}'} > 0
max_over_time(status_host_instances_in_use{instance='{limited}'}[1h]) <= 4
count(status_host_instances_in_use == 0) == 4
status_host_instances_limit{instance='{limited}'} == 4
sum(status_host_instance_creation_duration_seconds_bucket{instance='{app}', le='2.5'}) > 0
# One at the start, and one for each request that was not rejected.
sum(status_host_instance_creation_duration_seconds_count{instance='{app}'}) - 1 == \
sum(status_host_http_requests_total{instance='{app}', status!~'400|505'})
status_host_instance_creation_duration_seconds_sum{instance='{app}'} > 0
status_host_guest_seconds_total{instance='{limited}'} > 0.4
sum(status_host_guest_failures_total{instance='{app}'}) == 0
status_host_log_events_dropped_total{instance='{starved}'} > 0
count(status_host_log_events_suppressed_total >= 0) == 4
rate(process_cpu_seconds_total{instance='{app}'}[1h]) > 0
changes(process_start_time_seconds{instance='{app}'}[1h]) == 1
process_resident_memory_bytes{instance='{app}'} > 1e6 and process_resident_memory_bytes < 1e9
process_resident_memory_bytes{instance='{app}'} < process_virtual_memory_bytes
max_over_time(process_open_fds{instance='{limited}'}[1h]) > 264
process_open_fds{instance='{limited}'} < process_max_fds
";
