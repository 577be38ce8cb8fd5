//! Configuration: variables, addresses, and errors, each one line on standard error with an exit code. The
//! options are tested beside their code.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};

use serde_json::Value;

use crate::support::seccomp::{with_failing_call, without_ipv6};
use crate::support::{TestServer, assert_refused, run, send, status_host, status_host_after, with_inherited_socket};

#[test]
fn missing_guest_variables_are_refused_by_name() {
    let mut command = status_host();
    let output = command.env_remove("APP_VERSION").env_remove("COMMIT_SHA").output();
    let parts = [
        "`APP_VERSION` is not set; set it to",
        "`COMMIT_SHA` is not set; set it to",
    ];
    assert_refused(&output.unwrap(), 2, &parts);
}

#[test]
fn empty_variable_is_an_unset_one() {
    let help = String::from_utf8(run(&["--help"], &[]).stdout).unwrap();
    let variables = help.split("[env: ").skip(1).map(|rest| rest.split_once(']').unwrap().0);
    let mut command = status_host();
    command.envs(variables.map(|variable| (variable, "")));
    // A test does not listen on the default ports.
    let server = TestServer::spawn(command.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]));
    assert_eq!(server.get("/status").status, 200);
    assert_listens(&[], &[("LISTEN", "")], "[::]:5000");
}

/// Checks that the server would listen on `address`: it cannot bind any, and its error names the one it tried.
#[track_caller]
fn assert_listens(arguments: &[&str], variables: &[(&str, &str)], address: &str) {
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (*name, OsStr::new(value)))
        .collect();
    let output = with_failing_call(libc::SYS_bind, libc::EADDRINUSE, || run(arguments, &variables));
    assert_refused(&output, 1, &[&format!("cannot listen on `{address}`")]);
}

#[test]
fn port_variable_sets_the_port_unless_an_address_is_given() {
    let listen = ("LISTEN", "127.0.0.1:5002");
    assert_listens(&[], &[], "[::]:5000");
    assert_listens(&[], &[("PORT", "")], "[::]:5000");
    assert_listens(&[], &[("PORT", "8080")], "[::]:8080");
    assert_listens(&[], &[("PORT", "x"), listen], "127.0.0.1:5002");
    assert_listens(
        &["--listen", "127.0.0.1:5003"],
        &[("PORT", "x"), listen],
        "127.0.0.1:5003",
    );
}

#[test]
fn invalid_port_variable_is_refused() {
    for port in ["x", "65536", "-1", "5000/tcp", " 5000", "0x50"] {
        let message = format!("invalid port `{port}` in the variable PORT");
        let parts = [&*message, "a number from 0 to 65535", "--listen"];
        for arguments in [&[][..], &["healthcheck"]] {
            assert_refused(&run(arguments, &[("PORT", OsStr::new(port))]), 2, &parts);
        }
    }
}

#[test]
fn invalid_option_or_argument_is_refused_in_one_line() {
    for (arguments, part) in [
        (&["--port", "1"][..], "--port"),
        (&["serve"], "serve"),
        (&["--listen"], "--listen"),
        (&["--listen", "localhost:5000"], "not an IP address and a port"),
        (&["--component", "line\nend"], "line\u{fffd}end"),
        (&["healthcheck", "--component", "x"], "--component"),
    ] {
        assert_refused(&run(arguments, &[]), 2, &[part]);
    }
    let listen = [("LISTEN", OsStr::new("5000"))];
    assert_refused(&run(&[], &listen), 2, &["--listen", "not an IP address and a port"]);
}

#[test]
fn failed_start_is_an_event_if_the_variable_selects_json() {
    let json = [("LOG_FORMAT", OsStr::new("json"))];
    let output = run(&["--max-body=x\n", "--log-format=text"], &json);
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(2), &b""[..]));
    let event: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(event["severity"], "ERROR");
    assert!(event["message"].as_str().unwrap().contains("--max-body"), "{event}");
    assert!(
        humantime::parse_rfc3339(event["time"].as_str().unwrap()).is_ok(),
        "{event}"
    );
    assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 1);
}

#[test]
fn unspecified_ipv6_address_accepts_both_families() {
    let server = TestServer::with_options("--listen [::]:0 --admin [::]:0");
    let loopback = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
    // The machine of the test may have no IPv6.
    for ip in loopback.into_iter().filter(|ip| TcpListener::bind((*ip, 0)).is_ok()) {
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
    assert_refused(&output, 1, &["cannot listen on `[::1]:5000`", "the kernel has no IPv6"]);
}

#[test]
fn port_in_use_is_refused() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let message = format!("cannot listen on `{address}`");
    let output = run(&["--listen", &address], &[]);
    assert_refused(&output, 1, &[&message, "set --listen to another port"]);
    let output = run(&["--listen", "127.0.0.1:0", "--admin", &address], &[]);
    assert_refused(&output, 1, &[&message, "set --admin to another port"]);
}

#[test]
fn inherited_descriptor_other_than_one_listening_socket_is_refused() {
    let output = run(&[], &[("LISTEN_FDS", OsStr::new("2"))]);
    assert_refused(&output, 2, &["LISTEN_FDS is 2", "LISTEN_FDS=1"]);
    // These sockets are for another process.
    assert_listens(&[], &[("LISTEN_FDS", "2"), ("LISTEN_PID", "1")], "[::]:5000");
    let file = File::open("/dev/null").unwrap();
    let output = with_inherited_socket(file, "").output().unwrap();
    assert_refused(&output, 1, &["LISTEN_FDS", "not a socket"]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connected = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let output = with_inherited_socket(connected, "").output().unwrap();
    assert_refused(&output, 1, &["LISTEN_FDS", "it is not a listening socket"]);
}

#[test]
fn missing_resource_is_refused_with_its_remedy() {
    // Kilobytes of address space, of which the instance pool needs more.
    let limited = status_host_after("ulimit -v 1000000;", "--listen 127.0.0.1:0 --worker-threads 256").output();
    assert_refused(
        &limited.unwrap(),
        1,
        &["cannot reserve the memory of the instance pool", "ulimit -v"],
    );
}

#[test]
fn crates_have_the_version_of_the_application() {
    let version = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../VERSION.txt")).unwrap();
    assert_eq!(version.trim(), env!("CARGO_PKG_VERSION"));
}
