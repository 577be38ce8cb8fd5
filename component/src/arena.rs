//! The component's memory allocator: an arena inside its initial memory.
//!
//! An instance lives for one request, and a growing memory costs system calls and page faults in every one of them.

use talc::wasm::{WasmArenaTalc, new_wasm_arena_allocator};

/// Bytes. Holds the longest request target that the field's hosts pass on (64 KiB) and the answer.
const ARENA_SIZE: usize = 96 * 1024;

#[global_allocator]
static ALLOCATOR: WasmArenaTalc = {
    static mut ARENA: [u8; ARENA_SIZE] = [0; ARENA_SIZE];
    // SAFETY: nothing but the allocator knows of the arena.
    #[allow(unsafe_code, reason = "handing over the arena is the allocator's own contract")]
    unsafe {
        new_wasm_arena_allocator(&raw mut ARENA)
    }
};
