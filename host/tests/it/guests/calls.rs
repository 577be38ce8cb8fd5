//! Host calls in a row, between which compiled code does not check the time.

use std::time::Duration;

use status_host::sandbox::{InvokeError, Limits, Sandbox};

use super::{LIMITS, get, runtime, sandbox_of};

/// Short, compared with the calls. A machine that is too slow for it makes the guest fail in the same way.
const SHORT: Limits = Limits {
    timeout: Duration::from_millis(20),
    ..LIMITS
};

/// Calls that copy 16,000 bytes each, without a loop and without a call of a function of the guest.
fn straight_calls() -> String {
    let call = "(call $from-list (i32.const 16) (i32.const 1) (i32.const 1024))
        (call $drop-fields (i32.load (i32.const 1028)))";
    call.repeat(8_000)
}

/// A component that does `at_start` in its start function, and `on_request` for a request. It is text, since an encoder
/// inserts functions of the guest between a module and the host. The name `a` is at 0, and at 16 a list of one field
/// with it and a value of 16,000 bytes.
#[track_caller]
fn calling(at_start: &str, on_request: &str) -> Sandbox {
    let text = format!(
        r#"(component
            (import "wasi:http/types@0.2.12" (instance $types
                (export "fields" (type $fields (sub resource)))
                (export "incoming-request" (type (sub resource)))
                (export "response-outparam" (type (sub resource)))
                (type $error (variant (case "invalid-syntax") (case "forbidden") (case "immutable")))
                (export "header-error" (type $header-error (eq $error)))
                (export "[static]fields.from-list" (func (param "entries" (list (tuple string (list u8))))
                    (result (result (own $fields) (error $header-error)))))))
            (alias export $types "fields" (type $fields))
            (alias export $types "incoming-request" (type $request))
            (alias export $types "response-outparam" (type $out))
            (core module $memory
                (memory (export "memory") 4)
                (data (i32.const 0) "a")
                (data (i32.const 16) "\00\00\00\00\01\00\00\00\00\10\00\00\80\3e\00\00")
                (func $fill (memory.fill (i32.const 4096) (i32.const 97) (i32.const 16000)))
                (start $fill))
            (core instance $memory (instantiate $memory))
            (core func $from-list (canon lower (func $types "[static]fields.from-list")
                (memory (core memory $memory "memory"))))
            (core func $drop (canon resource.drop $fields))
            (core module $main
                (import "a" "memory" (memory 4))
                (import "a" "from-list" (func $from-list (param i32 i32 i32)))
                (import "a" "drop" (func $drop-fields (param i32)))
                (func (export "handle") (param i32 i32) {on_request})
                (func $start {at_start})
                (start $start))
            (core instance $main (instantiate $main (with "a" (instance
                (export "memory" (memory $memory "memory"))
                (export "from-list" (func $from-list))
                (export "drop" (func $drop))))))
            (func $handle (param "request" (own $request)) (param "response-out" (own $out))
                (canon lift (core func $main "handle")))
            (instance $handler (export "handle" (func $handle)))
            (export "wasi:http/incoming-handler@0.2.12" (instance $handler)))"#
    );
    let sandbox = sandbox_of(&wat::parse_str(text).unwrap(), SHORT);
    sandbox.spawn_epoch_thread().unwrap();
    sandbox
}

#[test]
fn straight_host_calls_reach_the_deadline() {
    // A guest that does not notice the deadline returns without a response.
    let result = runtime().block_on(get(&calling("", &straight_calls()), "/"));
    assert!(matches!(result, Err(InvokeError::Timeout(_))), "{result:?}");
}

#[test]
fn straight_host_calls_at_start_reach_the_deadline() {
    let result = runtime().block_on(calling(&straight_calls(), "").warm_up());
    assert!(matches!(result, Err(InvokeError::Timeout(_))), "{result:?}");
}
