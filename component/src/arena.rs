//! The component's memory allocator: an arena over what its memory has left behind stack and data.
//!
//! An instance lives for one request, so memory that is given back need not be found again, and what is usual fits the
//! first page: a memory that grows costs system calls and page faults in every request. Where a host lets an instance
//! live on, all that a request took has been given back at its end, and the arena begins anew.

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::{memory_grow, memory_size};
use core::cell::Cell;
use core::ptr;

/// Bytes of a page of linear memory (WebAssembly 2.0, section 4.2.8).
const PAGE: usize = 64 * 1024;

#[global_allocator]
static ARENA: Arena = Arena {
    used: Cell::new(0),
    pieces: Cell::new(0),
};

/// All memory from [`base`] on. Only it grows the memory, so that there is no end but that of the memory.
struct Arena {
    /// Bytes that are given out, from the base on.
    used: Cell<usize>,
    /// Pieces that are given out.
    pieces: Cell<usize>,
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
    /// Takes `size` bytes at `begin`, counted from the base; none where the memory does not grow that far.
    fn take(&self, begin: usize, size: usize) -> Option<()> {
        let used = begin.checked_add(size)?;
        let pages = used.checked_add(base().addr())?.div_ceil(PAGE);
        let present = memory_size::<0>();
        if pages > present && memory_grow::<0>(pages - present) == usize::MAX {
            return None;
        }
        self.used.set(used);
        Some(())
    }

    /// Whether the piece of `size` bytes at `pointer` is the last one.
    fn is_last(&self, pointer: *mut u8, size: usize) -> bool {
        pointer.addr() + size == base().addr() + self.used.get()
    }
}

// SAFETY: a component of WASI 0.2 has one thread.
#[expect(unsafe_code, reason = "an allocator is static")]
unsafe impl Sync for Arena {}

// SAFETY: a piece lies behind all that are given out, on its alignment, and inside the memory.
#[expect(unsafe_code, reason = "an allocator hands out raw memory")]
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let free = base().wrapping_add(self.used.get());
        let begin = self.used.get() + free.align_offset(layout.align());
        if self.take(begin, layout.size()).is_none() {
            return ptr::null_mut();
        }
        self.pieces.set(self.pieces.get() + 1);
        base().wrapping_add(begin)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        self.pieces.set(self.pieces.get() - 1);
        if self.pieces.get() == 0 {
            self.used.set(0);
        } else if self.is_last(pointer, layout.size()) {
            self.used.set(self.used.get() - layout.size());
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if self.is_last(pointer, layout.size()) {
            let begin = self.used.get() - layout.size();
            return self.take(begin, size).map_or(ptr::null_mut(), |()| pointer);
        }
        // SAFETY: the caller of this one promises what these ask for: the piece, its layout, and a size that fits one.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                ptr::copy_nonoverlapping(pointer, moved, layout.size().min(size));
                self.dealloc(pointer, layout);
            }
            moved
        }
    }
}
