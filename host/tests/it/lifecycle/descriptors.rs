//! Exhausted file descriptors.

use crate::support::component::compiled_probe;
use crate::support::seccomp::with_failing_calls;
use crate::support::{TestServer, assert_refused, eventually, run, status_host_after, with_fd_limit};

#[test]
fn server_recovers_from_exhausted_file_descriptors() {
    let server = TestServer::spawn(&mut with_fd_limit(24));
    drop(server.exhaust_fds());
    eventually("a connection is admitted", || {
        server.try_get("/status").filter(|response| response.status == 200)
    });
    assert!(server.metrics().count("status_host_accept_failures_total") > 0);
}

#[test]
fn exhausted_file_descriptors_do_not_delay_the_drain() {
    let server = TestServer::spawn(&mut with_fd_limit(24));
    let connections = server.exhaust_fds();
    let log = server.stop();
    let message = "accepting the backlog failed";
    assert!(log.iter().any(|line| line["message"] == message), "{log:?}");
    drop(connections);
}

#[test]
fn capacity_is_logged_with_the_limits_of_the_process() {
    let server = TestServer::spawn(&mut with_fd_limit(100));
    let capacity = server.before.last().unwrap();
    assert_eq!(capacity["message"], "connection capacity");
    assert_eq!(capacity["fd_limit"], 100);
    assert!(capacity["connections"].as_u64().unwrap() < 100, "{capacity}");
    // With a body of the default limit.
    assert_eq!(capacity["connection_memory"], 144 * 1024);
    let server = TestServer::with_options("--max-body 0");
    let capacity = server.before.last().unwrap();
    assert_eq!(capacity["connection_memory"], 128 * 1024);
    let connections = server.metrics().count("status_host_connections_limit");
    assert_eq!(capacity["connections"], connections);
}

#[test]
fn max_connections_over_the_fd_limit_is_reduced() {
    let server = TestServer::spawn(with_fd_limit(100).env("MAX_CONNECTIONS", "1000"));
    let warning = server.before.last().unwrap();
    let message = warning["message"].as_str().unwrap();
    assert!(
        message.starts_with("file descriptor limit reduces connection capacity"),
        "{warning}"
    );
    assert_eq!(
        (&warning["fd_limit"], &warning["max_connections"]),
        (&100.into(), &1000.into())
    );
    assert!(warning["capacity"].as_u64().unwrap() < 100, "{warning}");
}

#[test]
fn soft_fd_limit_is_raised_to_the_hard_limit() {
    let server = TestServer::spawn(&mut status_host_after("ulimit -Sn 100; ulimit -Hn 1000;", ""));
    assert_eq!(server.metrics().count("process_max_fds"), 1000);
}

#[test]
fn memory_image_that_cannot_be_created_is_reported() {
    let options = [
        "--listen",
        "127.0.0.1:0",
        "--allow-precompiled",
        "--component",
        compiled_probe(),
    ];
    let output = with_failing_calls(&[libc::SYS_memfd_create], libc::EMFILE, || run(&options, &[]));
    assert_refused(&output, 1, &["cannot create the memory image", "ulimit -n"]);
}
