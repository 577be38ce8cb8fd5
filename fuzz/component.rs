//! Requests and variables as a host could hand them over, through the function that decides.
#![no_main]

mod statement;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| statement::check(bytes));
