//! The health check, `--help` and `--version`.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Output, Stdio};
use std::thread;

use crate::support::{Process, TestServer, assert_refused, eventually, free_addr, run, status_host, wait_until};

fn healthcheck(address: &str) -> Output {
    run(&["healthcheck", "--listen", address], &[])
}

#[test]
fn help_and_version_are_printed_to_standard_output() {
    for (argument, part) in [
        ("--help", "[env: MAX_MEMORY]"),
        (
            "--version",
            concat!("status-host ", env!("CARGO_PKG_VERSION"), " (wasmtime 48."),
        ),
    ] {
        let output = run(&[argument], &[]);
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(part), "no `{part}` in {text}");
    }
}

#[test]
fn closed_standard_output_is_no_error() {
    let mut process = Process::spawn(status_host().arg("--help").stdout(Stdio::piped()));
    drop(process.0.stdout.take());
    assert!(process.wait().success());
}

#[test]
fn error_that_cannot_be_printed_keeps_its_exit_code() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let status = status_host().arg("--nonsense").stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(2));
}

#[test]
fn health_check_of_a_healthy_server_succeeds() {
    let server = TestServer::with_options("--listen [::]:0");
    let port = server.address.port().to_string();
    let (ipv4, any) = (format!("127.0.0.1:{port}"), format!("[::]:{port}"));
    // A busy machine may not answer within the time limit.
    let succeeds = |arguments: &[&str], variables: &[(&str, &OsStr)]| {
        wait_until("the server is healthy", || run(arguments, variables).status.success());
    };
    succeeds(&["healthcheck", "--listen", &ipv4], &[]);
    succeeds(&["healthcheck", "--listen", &any], &[]);
    succeeds(&["healthcheck"], &[("LISTEN", OsStr::new(&any))]);
    succeeds(&["healthcheck"], &[("PORT", OsStr::new(&port))]);
}

#[test]
fn health_check_of_an_unhealthy_server_fails() {
    for (answer, cause) in [
        (
            &b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"[..],
            "the response starts with `HTTP/1.1 500 `",
        ),
        (b"nonsense\r\n\r\n", "the response starts with `nonsense"),
        (b"", "the response starts with ``"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                // Both fail if the client has given up.
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(answer);
            }
        });
        // A busy machine may not answer within the time limit.
        let output = eventually("the server answers in time", || {
            Some(healthcheck(&address))
                .filter(|output| !String::from_utf8_lossy(&output.stderr).contains("no response within"))
        });
        assert_refused(&output, 1, &[&address, cause]);
    }
}

#[test]
fn health_check_of_a_silent_or_missing_server_fails() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    assert_refused(&healthcheck(&address), 1, &["no response within 2 s"]);
    assert_refused(&healthcheck(&free_addr().to_string()), 1, &["refused"]);
    assert_refused(&healthcheck("127.0.0.1:0"), 2, &["port 0"]);
}
