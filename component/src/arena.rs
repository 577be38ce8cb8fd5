//! The component's memory allocator: an arena over what its memory has left behind stack and data.
//!
//! An instance lives for one request, so memory that is given back need not be found again, and what is usual fits the
//! first page: a memory that grows costs system calls and page faults in every request. Where a host lets an instance
//! live on, all that a request took has been given back at its end, and the arena begins anew.

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::{memory_grow, memory_size};
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Bytes of a page of linear memory (WebAssembly 2.0, section 4.2.8).
const PAGE: usize = 64 * 1024;

#[global_allocator]
static ARENA: Arena = Arena {
    used: AtomicUsize::new(0),
    pieces: AtomicUsize::new(0),
};

/// All memory from [`base`] on. Only it grows the memory, so that there is no end but that of the memory. A component of
/// WASI 0.2 has one thread: the atomics are plain loads and stores.
struct Arena {
    /// Bytes that are given out, from the base on.
    used: AtomicUsize,
    /// Pieces that are given out.
    pieces: AtomicUsize,
}

/// Where the linker lays nothing out any more.
fn base() -> *mut u8 {
    #[expect(unsafe_code, reason = "the linker defines it")]
    unsafe extern "C" {
        static mut __heap_base: u8;
    }
    &raw mut __heap_base
}

impl Arena {
    /// Takes what is behind `used`, and tells where it begins; none where the memory does not grow that far.
    fn take(&self, layout: Layout) -> Option<*mut u8> {
        let free = base().wrapping_add(self.used.load(Relaxed));
        let begin = free.wrapping_add(free.align_offset(layout.align()));
        let end = begin.addr().checked_add(layout.size())?;
        let present = memory_size::<0>();
        let pages = end.div_ceil(PAGE);
        if pages > present && memory_grow::<0>(pages - present) == usize::MAX {
            return None;
        }
        self.used.store(end - base().addr(), Relaxed);
        self.pieces.fetch_add(1, Relaxed);
        Some(begin)
    }
}

// SAFETY: a piece lies behind all that are given out, on its alignment, and inside the memory.
#[expect(unsafe_code, reason = "an allocator hands out raw memory")]
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.take(layout).unwrap_or(ptr::null_mut())
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let is_last = pointer.addr() + layout.size() == base().addr() + self.used.load(Relaxed);
        if self.pieces.fetch_sub(1, Relaxed) == 1 {
            self.used.store(0, Relaxed);
        } else if is_last {
            self.used.fetch_sub(layout.size(), Relaxed);
        }
    }
}
