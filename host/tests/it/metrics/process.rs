//! The process itself, which Landlock keeps from opening `/proc`.

use std::net::TcpStream;
use std::time::SystemTime;

use crate::support::TestServer;

fn seconds_since_the_epoch() -> f64 {
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    time.unwrap().as_secs_f64()
}

#[test]
fn locked_process_reports_its_memory_and_start() {
    let before = seconds_since_the_epoch();
    let server = TestServer::start();
    let after = seconds_since_the_epoch();
    assert!(server.proc("status").contains("\nSeccomp:\t2\n"));
    let metrics = server.metrics();
    let resident = metrics.count("process_resident_memory_bytes");
    let now = server.resident_bytes();
    assert!(resident.abs_diff(now) < now / 4, "{resident} reported, {now} now");
    assert!(metrics.count("process_virtual_memory_bytes") > resident);
    // The kernel rounds the time of its own start to seconds.
    let started = metrics.value("process_start_time_seconds");
    assert!((before - 2.0..after + 2.0).contains(&started), "{started}");
}

#[test]
fn locked_process_reports_its_file_descriptors() {
    let server = TestServer::start();
    let is_reported = || {
        // The query has a connection of its own, which may stay open for a moment.
        server.metrics_until("all file descriptors are reported", |metrics| {
            metrics.count("process_open_fds") == server.open_fds() as u64 + 1
        })
    };
    is_reported();
    let _connections: Vec<TcpStream> = (0..10).map(|_| server.connect()).collect();
    server.wait_for_metric("status_host_connections_open", 10);
    is_reported();
}

#[test]
fn locked_process_reports_its_processor_time() {
    let server = TestServer::start();
    let before = server.metrics().value("process_cpu_seconds_total");
    assert!(before > 0.0);
    server.metrics_until("processor time grows", |metrics| {
        for _ in 0..100 {
            assert_eq!(server.get("/status").status, 200);
        }
        metrics.value("process_cpu_seconds_total") > before
    });
}
