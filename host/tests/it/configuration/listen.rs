//! The listening address, and resources that the server needs to start.

use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::os::unix::process::CommandExt;

use nix::unistd::getuid;

use super::not_utf8;
use crate::support::command::status_host_after;
use crate::support::seccomp::{with_failing_calls, without_ipv6};
use crate::support::{TestServer, assert_refused, run, send, status_host};

#[test]
fn invalid_address_is_refused() {
    let parts = ["invalid address `", "set --listen or LISTEN to", "such as 0.0.0.0:5000"];
    for address in ",5000,:5000,localhost:5000,0.0.0.0,0.0.0.0:65536,0.0.0.0:x,1.2.3:80".split(',') {
        assert_refused(&run(&["--listen", address], &[]), 2, &parts);
    }
    assert_refused(&run(&[], &[("LISTEN", OsStr::new("5000"))]), 2, &parts);
    assert_refused(&run(&[], &[("LISTEN", &not_utf8())]), 2, &["LISTEN"]);
}

/// Checks that the server would listen on `address`: it cannot bind any, and its error names the one it tried.
#[track_caller]
fn assert_listens(arguments: &[&str], variables: &[(&str, &OsStr)], address: &str) {
    let output = with_failing_calls(&[libc::SYS_bind], libc::EADDRINUSE, || run(arguments, variables));
    assert_refused(&output, 1, &[&format!("cannot listen on `{address}`")]);
}

#[test]
fn port_variable_sets_the_default_port() {
    assert_listens(&[], &[], "[::]:5000");
    for (port, address) in [("8080", "[::]:8080"), ("0", "[::]:0"), ("", "[::]:5000")] {
        assert_listens(&[], &[("PORT", OsStr::new(port))], address);
    }
}

#[test]
fn listen_takes_precedence_over_the_port_variable() {
    let (port, listen) = (("PORT", OsStr::new("x")), ("LISTEN", OsStr::new("127.0.0.1:5002")));
    assert_listens(&[], &[port, listen], "127.0.0.1:5002");
    assert_listens(&["--listen", "127.0.0.1:5003"], &[port], "127.0.0.1:5003");
    assert_listens(&["--listen", "127.0.0.1:5003"], &[port, listen], "127.0.0.1:5003");
}

#[test]
fn invalid_port_variable_is_refused() {
    for port in ["x", "65536", "-1", "5000/tcp", " 5000", "0x50"] {
        let message = format!("invalid port `{port}` in the variable PORT");
        let parts = [&*message, "a number from 0 to 65535", "--listen"];
        assert_refused(&run(&[], &[("PORT", OsStr::new(port))]), 2, &parts);
        assert_refused(&run(&["healthcheck"], &[("PORT", OsStr::new(port))]), 2, &parts);
    }
    assert_refused(&run(&[], &[("PORT", &not_utf8())]), 2, &["in the variable PORT"]);
}

#[test]
fn unspecified_ipv6_address_accepts_both_families() {
    let server = TestServer::with_options("--listen [::]:0 --admin [::]:0");
    let loopback = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
    // The machine of the test may have no IPv6.
    let available = loopback.into_iter().filter(|ip| TcpListener::bind((*ip, 0)).is_ok());
    for ip in available {
        for (port, path) in [
            (server.address.port(), "/status"),
            (server.admin.unwrap().port(), "/livez"),
        ] {
            let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
            assert_eq!(send((ip, port).into(), request).status, 200, "{ip} {path}");
        }
    }
}

#[test]
fn unspecified_ipv6_address_is_ipv4_on_a_kernel_without_ipv6() {
    let server = without_ipv6(|| TestServer::with_options("--listen [::]:0 --admin [::]:0"));
    for address in [server.address, server.admin.unwrap()] {
        assert_eq!(address.ip(), Ipv4Addr::UNSPECIFIED);
    }
    assert_eq!(server.get("/status").status, 200);
    let output = without_ipv6(|| run(&["--listen", "[::1]:5000"], &[]));
    let parts = [
        "cannot listen on `[::1]:5000`",
        "the kernel has no IPv6; set --listen to an IPv4 address",
    ];
    assert_refused(&output, 1, &parts);
}

#[test]
fn unavailable_address_is_refused() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let message = format!("cannot listen on `{address}`");
    let output = run(&["--listen", &address], &[]);
    assert_refused(&output, 1, &[&message, "in use", "set --listen to another port"]);
    // TEST-NET-1 (RFC 5737): no machine has it.
    let output = run(&["--listen", "192.0.2.1:5000"], &[]);
    assert_refused(
        &output,
        1,
        &[
            "cannot listen on `192.0.2.1:5000`",
            "set --listen to an address of this machine",
        ],
    );
}

#[test]
fn each_listen_error_has_its_remedy() {
    for (errno, remedy) in [
        (libc::EACCES, "need CAP_NET_BIND_SERVICE; set --listen to a higher port"),
        (libc::ENOBUFS, "set --listen to another address"),
    ] {
        let output = with_failing_calls(&[libc::SYS_bind], errno, || run(&["--listen", "127.0.0.1:0"], &[]));
        assert_refused(&output, 1, &["cannot listen on `127.0.0.1:0`", remedy]);
    }
}

#[test]
fn number_of_inherited_sockets_other_than_one_is_refused() {
    for count in ["2", "x", "0", ""] {
        let variables = [("LISTEN_FDS", OsStr::new(count))];
        let output = run(&[], &variables);
        assert_refused(&output, 2, &[&format!("LISTEN_FDS is `{count}`"), "LISTEN_FDS=1"]);
        // They are for another process.
        let variables = [
            variables[0],
            ("LISTEN_PID", OsStr::new("1")),
            ("LISTEN", OsStr::new("x")),
        ];
        assert_refused(&run(&[], &variables), 2, &["invalid address"]);
    }
}

#[test]
fn thread_that_cannot_be_started_is_reported() {
    for (errno, remedy) in [
        (libc::EPERM, "allow clone3 in the seccomp profile"),
        (libc::EAGAIN, "raise the limit of threads"),
    ] {
        let mut command = status_host();
        // A command that sets a user is started by clone, others by clone3.
        command.args(["--listen", "127.0.0.1:0"]).uid(getuid().as_raw());
        let output = with_failing_calls(&[libc::SYS_clone3], errno, || command.output().unwrap());
        assert_refused(&output, 1, &["cannot start a thread", remedy]);
    }
}

#[test]
fn missing_resource_is_refused() {
    // Kilobytes of address space, of which the sandbox needs more; and file descriptors, of which the threads do.
    for (limit, reason) in [
        ("ulimit -v 1000000;", "cannot reserve the memory of the instance pool"),
        ("ulimit -n 8;", "cannot start the threads"),
    ] {
        let output = status_host_after(limit, "--listen 127.0.0.1:0").output().unwrap();
        assert_refused(&output, 1, &[reason]);
    }
}
