//! Components whose first instance fails.

use std::fs;

use crate::support::component::{HANDLE, component};
use crate::support::{assert_refused, run};

#[test]
fn component_that_cannot_be_instantiated_is_refused() {
    let modules = [
        (
            "(memory (export \"memory\") 65)",
            ["--max-memory", "4MiB"],
            "its memory would grow to 4259840 bytes, of which 4194304 are allowed (--max-memory)",
        ),
        (
            "(memory (export \"memory\") 1) (table 10001 funcref)",
            ["--max-memory", "4MiB"],
            "a table would grow to 10001 elements",
        ),
        (
            "(memory (export \"memory\") 1) (func $start (loop (br 0))) (start $start)",
            ["--request-timeout", "200ms"],
            "did not end within 200 ms",
        ),
        (
            "(memory (export \"memory\") 1) (func $start unreachable) (start $start)",
            ["--max-memory", "4MiB"],
            "wasm `unreachable` instruction executed",
        ),
    ];
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("start.wasm");
    for (module, options, reason) in modules {
        fs::write(&file, component(&format!("(module {module} ({HANDLE}))"))).unwrap();
        let arguments = ["--listen", "127.0.0.1:0", "--component", file.to_str().unwrap()];
        let output = run(&[&arguments[..], &options].concat(), &[]);
        assert_refused(&output, 2, &["no instance of the component", "start.wasm", reason]);
    }
}
