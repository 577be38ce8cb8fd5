//! The admin port while others use up what there is.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::support::wait::busy_processors;
use crate::support::{Response, TestServer, connect, read_to_close, try_send, with_fd_limit};

#[test]
fn admin_answers_while_the_service_is_saturated() {
    let _busy = busy_processors();
    let server = TestServer::probe("--max-concurrency 4 --max-connections 8");
    let spinning = server.occupy_instances(4);
    let waiting: Vec<_> = (0..4).map(|_| server.connect()).collect();
    server.wait_for_metric("status_host_connections_open", 8);
    for _ in 0..5 {
        server.admin_get("/readyz").assert_is(200, "ok\n");
        server.admin_get("/livez").assert_is(200, "ok\n");
    }
    server.get("/count").assert_problem(503);
    assert_eq!(server.metrics().count("status_host_instances_in_use"), 4);
    server.stop_now();
    drop((spinning, waiting));
}

#[test]
fn silent_admin_connections_keep_nobody_out() {
    let server = TestServer::start();
    // The port has room for 32 and closes the oldest. If they had to time out first, the request would wait for longer
    // than the test does.
    let mut silent: Vec<_> = (0..600).map(|_| connect(server.admin.unwrap())).collect();
    server.admin_get("/readyz").assert_is(200, "ok\n");
    // The newest times out.
    for mut connection in [silent.remove(0), silent.pop().unwrap()] {
        assert_eq!(read_to_close(&mut connection), b"");
    }
}

#[test]
fn flooded_service_leaves_file_descriptors_to_the_admin_port() {
    for fd_limit in [64, 256] {
        let server = TestServer::spawn(&mut with_fd_limit(fd_limit));
        let limit = server.metrics().count("status_host_connections_limit");
        assert!(limit < u64::from(fd_limit), "{limit}");
        let _flood: Vec<_> = (0..3 * fd_limit).map(|_| server.connect()).collect();
        for _ in 0..20 {
            assert_eq!(server.admin_get("/readyz").status, 200);
        }
        let metrics = server.wait_for_metric("status_host_connections_open", limit);
        assert_eq!(metrics.count("status_host_accept_failures_total"), 0);
    }
}

#[test]
fn simultaneous_admin_requests_are_all_answered() {
    let server = TestServer::start();
    let mut connections: Vec<_> = (0..128).map(|_| connect(server.admin.unwrap())).collect();
    for connection in &mut connections {
        connection.write_all(b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    }
    let answered = connections
        .iter_mut()
        .map(|connection| Response::try_parse(&read_to_close(connection)));
    assert_eq!(
        answered.flatten().filter(|response| response.status == 200).count(),
        128
    );
}

#[test]
fn liveness_is_answered_during_a_flood_of_short_connections() {
    let server = TestServer::start();
    let (admin, done) = (server.admin.unwrap(), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    drop(connect(admin));
                }
            });
        }
        let probe = || try_send(admin, "GET /livez HTTP/1.1\r\nhost: a\r\n\r\n");
        let answered = (0..100)
            .filter(|_| probe().is_some_and(|response| response.status == 200))
            .count();
        done.store(true, Ordering::Relaxed);
        assert_eq!(answered, 100);
    });
}
