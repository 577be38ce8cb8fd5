//! Sets the size of the component's stack.

#![allow(clippy::print_stdout, reason = "this is how a build script speaks to cargo")]

/// Bytes. The linker's own 1 MiB would make a memory of 17 pages, most of which every request would pay for.
const STACK_SIZE: u32 = 16 * 1024;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|family| family == "wasm") {
        println!("cargo::rustc-link-arg-cdylib=-zstack-size={STACK_SIZE}");
    }
}
