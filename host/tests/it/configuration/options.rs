//! The options.

use std::ffi::OsStr;

use crate::support::{TestServer, assert_refused, run};

#[test]
fn unknown_option_is_refused() {
    assert_refused(&run(&["--port", "1"], &[]), 2, &["--port", "--help"]);
    assert_refused(&run(&["serve"], &[]), 2, &["serve", "--help"]);
    assert_refused(&run(&["--listen"], &[]), 2, &["--listen", "--help"]);
}

#[test]
fn limit_out_of_range_is_refused() {
    let limits = [
        ("--request-timeout", ",1,-1s,x,0s,1us,25h", "1ms and 1day"),
        ("--client-timeout", ",0s,1y", "1ms and 1day"),
        ("--idle-timeout", "0s,999999999999999999999s,2days", "1ms and 1day"),
        ("--drain-delay", ",1,-1s,25h", "0s and 1day"),
        ("--drain-timeout", "0s,1w", "1ms and 1day"),
        ("--max-memory", ",x,-1,65535,16777217,1TiB", "64.0 KiB and 16.0 MiB"),
        ("--max-body", "x,-1,1GiB", "0 B and 64.0 MiB"),
        ("--worker-threads", "0,x,-1,1025", "1..=1024"),
        ("--max-concurrency", "0,x,-1,4097", "1..=4096"),
        ("--max-connections", "0,1.5,1000001", "1..=1000000"),
    ];
    for (option, values, range) in limits {
        for value in values.split(',') {
            let output = run(&[&format!("{option}={value}")], &[]);
            assert_refused(&output, 2, &[option, "--help"]);
        }
        // The last value is a number, so that its error names the range.
        let last = values.rsplit(',').next().unwrap();
        let variable = option.trim_start_matches('-').replace('-', "_").to_uppercase();
        let output = run(&[], &[(&variable, OsStr::new(last))]);
        assert_refused(&output, 2, &[option, range]);
    }
}

#[test]
fn value_that_is_not_one_of_the_choices_is_refused() {
    for (option, values, message) in [
        (
            "--admin",
            " 9090 :9090 on localhost:9090 127.0.0.1",
            "neither off nor an IP address and a port",
        ),
        ("--access-log", " all -0.1 1.1 NaN 10%", "not between 0 and 1"),
        ("--log-format", " xml", "auto, json, text"),
        ("--lockdown", " maybe", "off, on, require, kill"),
    ] {
        for value in values.split(' ') {
            let output = run(&["--listen", "127.0.0.1:0", option, value], &[]);
            assert_refused(&output, 2, &[option, message]);
        }
    }
}

#[test]
fn extreme_limits_are_accepted() {
    let server = TestServer::with_options(
        "--request-timeout=1day --client-timeout=1day --idle-timeout=1ms --drain-timeout=1ms --max-memory=16MiB \
         --max-body=0 --max-concurrency=4096 --max-connections=1000000",
    );
    assert_eq!(server.get("/status").status, 200);
}
