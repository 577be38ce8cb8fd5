//! Host calls in a row, between which compiled code does not check the time.

use std::time::Duration;

use status_host::sandbox::{InvokeError, Limits};

use super::{LIMITS, get, handler, runtime, sandbox_of};

#[test]
fn straight_host_calls_reach_the_deadline() {
    // Short, compared with the calls. A machine that is too slow for it makes the guest fail in the same way.
    let timeout = Duration::from_millis(20);
    // The name `a` is at 0, and at 16 a list of one field with it and a value of 16,000 bytes. There is no loop and no
    // call of a function of the guest.
    let call = "(call $from-list (i32.const 16) (i32.const 1) (i32.const 1024))
        (call $drop-fields (i32.load (i32.const 1028)))";
    let calls = call.repeat(8_000);
    let definitions = format!(
        r#"
        (alias export $types "fields" (type $fields))
        (core module $memory
            (memory (export "memory") 4)
            (data (i32.const 0) "a")
            (data (i32.const 16) "\00\00\00\00\01\00\00\00\00\10\00\00\80\3e\00\00")
            (func $fill (memory.fill (i32.const 4096) (i32.const 97) (i32.const 16000)))
            (start $fill))
        (core instance $memory (instantiate $memory))
        (core func $from-list
            (canon lower (func $types "[static]fields.from-list") (memory (core memory $memory "memory"))))
        (core func $drop (canon resource.drop $fields))
        (core module $main
            (import "a" "memory" (memory 4))
            (import "a" "from-list" (func $from-list (param i32 i32 i32)))
            (import "a" "drop" (func $drop-fields (param i32)))
            (func (export "handle") (param i32 i32) {calls}))
        (core instance $main (instantiate $main (with "a" (instance
            (export "memory" (memory $memory "memory"))
            (export "from-list" (func $from-list))
            (export "drop" (func $drop))))))"#
    );
    let component = wat::parse_str(handler(&definitions)).unwrap();
    let sandbox = sandbox_of(&component, Limits { timeout, ..LIMITS });
    sandbox.spawn_epoch_thread().unwrap();
    // A guest that does not notice the deadline returns without a response.
    let result = runtime().block_on(get(&sandbox, "/"));
    assert!(matches!(result, Err(InvokeError::Timeout(_))), "{result:?}");
}
