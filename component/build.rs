//! Sets the stack size of the WebAssembly module, and makes it import its memory.

#![allow(clippy::print_stdout, reason = "cargo reads its instructions from stdout")]

/// In bytes. With the linker's default of 1 MiB, every instance would start with 17 pages of memory instead of one.
const STACK_SIZE: u32 = 16 * 1024;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|family| family == "wasm") {
        println!("cargo::rustc-link-arg-cdylib=-zstack-size={STACK_SIZE}");
        // The memory is then made first, and functions that need only memory are linked without an adapter module.
        println!("cargo::rustc-link-arg-cdylib=--import-memory");
    }
}
