//! Invalid configuration: one line on standard error, with the reason and the remedy, and the exit code.

mod component;
mod docs;
mod listen;
mod options;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStringExt;

use crate::support::{assert_refused, run, status_host};

/// A byte string that is not UTF-8.
fn not_utf8() -> OsString {
    OsString::from_vec(vec![b'1', 0xff])
}

#[test]
fn unset_variable_is_refused_by_name() {
    for (unset, set) in [("APP_VERSION", "COMMIT_SHA"), ("COMMIT_SHA", "APP_VERSION")] {
        let output = status_host().env_remove(unset).output().unwrap();
        assert_refused(&output, 2, &[&format!("`{unset}` is not set; set it to")]);
        assert!(!String::from_utf8_lossy(&output.stderr).contains(set));
    }
    let mut command = status_host();
    let output = command.env_remove("APP_VERSION").env_remove("COMMIT_SHA").output();
    let parts = ["`APP_VERSION` is not set", "`COMMIT_SHA` is not set"];
    assert_refused(&output.unwrap(), 2, &parts);
}

#[test]
fn invalid_variable_is_refused_by_name() {
    let (long, not_utf8) = ("x".repeat(257), not_utf8());
    let cases: [(&OsStr, &str); 10] = [
        (OsStr::new(""), "is empty"),
        (OsStr::new(" "), "contains U+0020 at byte 0"),
        (OsStr::new("0.0 1"), "contains U+0020 at byte 3"),
        (OsStr::new("\u{feff}0.0.1"), "contains U+FEFF at byte 0"),
        (&not_utf8, "is not UTF-8"),
        (OsStr::new(&long), "has 257 bytes, more than 256"),
        (OsStr::new("0.0.1\n"), "contains U+000A at byte 5"),
        (OsStr::new("\u{1b}[31m"), "contains U+001B at byte 0"),
        (OsStr::new("0\u{200b}"), "contains U+200B at byte 1"),
        (OsStr::new("1.0-ü"), "contains U+00FC at byte 4"),
    ];
    for name in ["APP_VERSION", "COMMIT_SHA"] {
        for (value, reason) in cases {
            let message = format!("the variable `{name}` {reason}");
            assert_refused(&run(&[], &[(name, value)]), 2, &[&message, "set it to"]);
        }
    }
}

#[test]
fn control_characters_are_replaced_in_errors() {
    let output = run(&["inspect", "--component", "line\nend"], &[]);
    assert_refused(&output, 2, &["line\u{fffd}end"]);
}

#[test]
fn crates_have_the_version_of_the_application() {
    let version = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../VERSION.txt")).unwrap();
    assert_eq!(version.trim(), env!("CARGO_PKG_VERSION"));
}
