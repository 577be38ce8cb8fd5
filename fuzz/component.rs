//! Fuzzes the component's request logic with arbitrary requests and variables.
#![no_main]

mod component_check;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| component_check::check(bytes));
