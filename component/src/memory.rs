//! The component's memory allocator: an [`Arena`] over what its memory has left behind stack and data.
//!
//! What is usual fits the first page: a memory that grows costs system calls and page faults in every request. The
//! longest request targets that the field's hosts pass on (64 KiB) do not fit.

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::{memory_grow, memory_size};
use core::ptr;

use crate::arena::Arena;

/// Bytes of a page of linear memory (WebAssembly 2.0, section 4.2.8).
const PAGE: usize = 64 * 1024;

#[global_allocator]
static MEMORY: Memory = Memory(Arena::new());

struct Memory(Arena);

/// Where the linker lays nothing out any more.
fn base() -> usize {
    #[expect(unsafe_code, reason = "the linker defines it")]
    unsafe extern "C" {
        static __heap_base: u8;
    }
    (&raw const __heap_base).addr()
}

/// Grows the memory, which nothing else does, where it ends before `end`.
fn reach(end: usize) -> bool {
    let (present, pages) = (memory_size::<0>(), end.div_ceil(PAGE));
    pages <= present || memory_grow::<0>(pages - present) != usize::MAX
}

// SAFETY: an allocation lies behind all that live, on its alignment, and inside the memory.
#[expect(unsafe_code, reason = "an allocator hands out raw memory")]
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let begin = self.0.allocate(base(), layout, reach);
        begin.map_or(ptr::null_mut(), ptr::with_exposed_provenance_mut)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        self.0.free(base(), pointer.addr(), layout.size());
    }
}
