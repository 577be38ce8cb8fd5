//! Components of several core modules, as tools for composition make them, and components that do not start.

use std::time::Duration;

use status_host::sandbox::{Limits, LoadError};

use super::{LIMITS, MAIN, get, handler, load_bytes, runtime, sandbox_of};
use crate::support::component::{HANDLE, component};

/// A component with so many memories of a page, tables, and core instances that have neither.
fn composed(memories: usize, tables: usize, others: usize) -> Vec<u8> {
    let memories = "(core instance (instantiate $memory))".repeat(memories);
    let tables = "(core instance (instantiate $table))".repeat(tables);
    let others = "(core instance (instantiate $other))".repeat(others);
    let modules = "(core module $memory (memory 1)) (core module $table (table 1 funcref)) (core module $other)";
    let definitions = [modules, &memories, &tables, &others, MAIN].concat();
    wat::parse_str(handler(&definitions)).unwrap()
}

#[test]
fn composed_component_at_the_limits_of_the_pool_runs() {
    // With the main one, 32 core instances.
    let sandbox = sandbox_of(&composed(8, 16, 7), LIMITS);
    let error = runtime().block_on(get(&sandbox, "/")).unwrap_err();
    assert_eq!(error.kind(), Some("no_response"));
}

#[test]
fn component_over_a_limit_of_the_pool_is_refused_with_the_number() {
    let large = MAIN.replace("(core module $main", "(core module $main (memory 257)");
    for (component, reason) in [
        (composed(9, 0, 0), "9 Wasm linear memories"),
        (composed(0, 17, 0), "17 tables"),
        (composed(0, 0, 32), "33 core module instances"),
        (wat::parse_str(handler(&large)).unwrap(), "at most 16 MiB of memory"),
    ] {
        let error = load_bytes(&component, LIMITS).err().expect(reason);
        let remedy = "8 memories, 16 tables and 32 core instances";
        assert!(matches!(error, LoadError::Pool(..)), "{error}");
        let text = error.to_string();
        assert!(text.contains(reason) && text.contains(remedy), "{text}");
    }
}

#[test]
fn component_that_exceeds_a_limit_at_start_fails() {
    const AT_START: Limits = Limits {
        memory: 448 * 1024,
        timeout: Duration::from_millis(200),
        ..LIMITS
    };
    let module = |parts| component(&format!("(module (memory (export \"memory\") 1) ({HANDLE}) {parts})"));
    for (component, reason) in [
        (composed(8, 0, 0), "524288 bytes, more than 458752 (--max-memory)"),
        (module("(table 5001 funcref) (table 5000 funcref)"), "10001 elements"),
        (module("(func $f (loop (br 0))) (start $f)"), "within 200 ms"),
        (module("(func $f unreachable) (start $f)"), "`unreachable`"),
    ] {
        let sandbox = sandbox_of(&component, AT_START);
        sandbox.spawn_epoch_thread().unwrap();
        let error = runtime().block_on(sandbox.warm_up()).expect_err(reason);
        assert!(error.to_string().contains(reason), "{error}");
    }
}
