//! The component's allocator: addresses go upwards, and start again when nothing is allocated.
//!
//! An instance serves one request, which fits into the first page of linear memory, so that the memory does not grow. A
//! host that uses an instance again finds the memory free: a request keeps nothing.

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::{memory_grow, memory_size};
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Bytes in a page of linear memory (WebAssembly 2.0, section 4.2.8).
const PAGE_SIZE: usize = 64 * 1024;

#[global_allocator]
static ALLOCATOR: BumpAllocator = BumpAllocator {
    used: AtomicUsize::new(0),
    live: AtomicUsize::new(0),
};

/// The component has one thread, so that the atomics are plain loads and stores.
struct BumpAllocator {
    /// Bytes in use above the stack and the static data.
    used: AtomicUsize,
    /// Allocations that are not freed.
    live: AtomicUsize,
}

impl BumpAllocator {
    /// The address of a new allocation, unless the memory ends before it.
    fn allocate(&self, layout: Layout) -> Option<usize> {
        #[expect(unsafe_code, reason = "the linker defines this symbol")]
        unsafe extern "C" {
            static __heap_base: u8;
        }
        let base = (&raw const __heap_base).addr();
        let start = (base + self.used.load(Relaxed)).checked_next_multiple_of(layout.align())?;
        let end = start.checked_add(layout.size())?;
        let (pages, required) = (memory_size::<0>(), end.div_ceil(PAGE_SIZE));
        if required > pages && memory_grow::<0>(required - pages) == usize::MAX {
            return None;
        }
        self.used.store(end - base, Relaxed);
        self.live.fetch_add(1, Relaxed);
        Some(start)
    }
}

// SAFETY: an allocation is aligned, inside the memory, and above all live allocations.
#[expect(unsafe_code, reason = "`GlobalAlloc` is an unsafe trait")]
unsafe impl GlobalAlloc for BumpAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.allocate(layout);
        start.map_or(ptr::null_mut(), ptr::with_exposed_provenance_mut)
    }

    unsafe fn dealloc(&self, _pointer: *mut u8, _layout: Layout) {
        if self.live.fetch_sub(1, Relaxed) == 1 {
            self.used.store(0, Relaxed);
        }
    }
}
