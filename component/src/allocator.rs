//! The component's allocator.
//!
//! An instance serves one request, so a bump allocator that reuses only its last allocation is enough. A typical
//! request fits into the first page of linear memory, which avoids the system calls and page faults of growing it. Only
//! targets near 64 KiB, which some hosts accept, need a second page.

use core::alloc::Layout;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Hands out addresses upwards from a base, which is the same in every call.
///
/// When the last live allocation is freed, it starts again at the base, so a host may reuse an instance.
/// A WASI 0.2 component has one thread: the atomics compile to plain loads and stores.
#[derive(Debug)]
pub(crate) struct BumpAllocator {
    /// Bytes in use above the base.
    used: AtomicUsize,
    /// Number of live allocations.
    live: AtomicUsize,
}

impl BumpAllocator {
    pub(crate) const fn new() -> Self {
        Self {
            used: AtomicUsize::new(0),
            live: AtomicUsize::new(0),
        }
    }

    /// Returns the address of a new allocation, or `None` if `reserve` cannot provide memory up to its end.
    pub(crate) fn allocate(&self, base: usize, layout: Layout, reserve: impl FnOnce(usize) -> bool) -> Option<usize> {
        let free = base.checked_add(self.used.load(Relaxed))?;
        let start = free.checked_next_multiple_of(layout.align())?;
        let end = start.checked_add(layout.size())?;
        if !reserve(end) {
            return None;
        }
        self.used.store(end - base, Relaxed);
        self.live.fetch_add(1, Relaxed);
        Some(start)
    }

    /// Frees the allocation of `size` bytes at `start`.
    pub(crate) fn free(&self, base: usize, start: usize, size: usize) {
        if self.live.fetch_sub(1, Relaxed) == 1 {
            self.used.store(0, Relaxed);
        } else if start + size == base + self.used.load(Relaxed) {
            self.used.store(start - base, Relaxed);
        }
    }
}

#[cfg(target_family = "wasm")]
mod global {
    use core::alloc::{GlobalAlloc, Layout};
    use core::arch::wasm32::{memory_grow, memory_size};
    use core::ptr;

    use super::BumpAllocator;

    /// Bytes in a page of linear memory (WebAssembly 2.0, section 4.2.8).
    const PAGE_SIZE: usize = 64 * 1024;

    #[global_allocator]
    static ALLOCATOR: BumpAllocator = BumpAllocator::new();

    /// The first address above the stack and the static data.
    fn heap_base() -> usize {
        #[expect(unsafe_code, reason = "the linker defines this symbol")]
        unsafe extern "C" {
            static __heap_base: u8;
        }
        (&raw const __heap_base).addr()
    }

    /// Grows the memory if it ends before `end`. Nothing else grows it.
    fn reserve(end: usize) -> bool {
        let (current, required) = (memory_size::<0>(), end.div_ceil(PAGE_SIZE));
        required <= current || memory_grow::<0>(required - current) != usize::MAX
    }

    // SAFETY: an allocation is aligned, inside the memory, and above all live allocations.
    #[expect(unsafe_code, reason = "`GlobalAlloc` is an unsafe trait")]
    unsafe impl GlobalAlloc for BumpAllocator {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            let start = self.allocate(heap_base(), layout, reserve);
            start.map_or(ptr::null_mut(), ptr::with_exposed_provenance_mut)
        }

        unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
            self.free(heap_base(), pointer.addr(), layout.size());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    const BASE: usize = 20_880;
    const END: usize = 65_536;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    fn allocate(allocator: &BumpAllocator, size: usize, align: usize) -> Option<usize> {
        allocator.allocate(BASE, layout(size, align), |end| end <= END)
    }

    #[test]
    fn memory_is_reused_after_all_allocations_are_freed() {
        let allocator = BumpAllocator::new();
        for _ in 0..1000 {
            let first = allocate(&allocator, 20_000, 8).unwrap();
            let second = allocate(&allocator, 20_000, 8).unwrap();
            allocator.free(BASE, first, 20_000);
            assert_eq!(allocate(&allocator, 20_000, 8), None, "the first is not the last");
            allocator.free(BASE, second, 20_000);
        }
    }

    #[test]
    fn last_allocation_is_reused() {
        let allocator = BumpAllocator::new();
        allocate(&allocator, 1, 1).unwrap();
        for _ in 0..1000 {
            let last = allocate(&allocator, 40_000, 16).unwrap();
            allocator.free(BASE, last, 40_000);
        }
    }

    #[test]
    fn failed_allocation_uses_no_memory() {
        let allocator = BumpAllocator::new();
        assert_eq!(allocate(&allocator, END, 1), None);
        assert_eq!(allocate(&allocator, END - BASE, 1), Some(BASE));
    }

    #[test]
    fn addresses_do_not_wrap() {
        let unlimited = |_| true;
        let allocator = BumpAllocator::new();
        assert_eq!(allocator.allocate(usize::MAX - 1, layout(16, 8), unlimited), None);
        assert_eq!(allocator.allocate(usize::MAX - 7, layout(16, 8), unlimited), None);
        allocator.allocate(8, layout(8, 8), unlimited).unwrap();
        assert_eq!(allocator.allocate(usize::MAX, layout(1, 1), unlimited), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: RngSeed::Fixed(0),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        // `GlobalAlloc` never passes a size of 0.
        #[test]
        fn live_allocations_are_aligned_and_disjoint(
            steps in prop::collection::vec((1..2000_usize, 0..6_u32, any::<usize>()), 1..100),
        ) {
            let allocator = BumpAllocator::new();
            let mut live = Vec::new();
            for (size, align, choice) in steps {
                if choice % 3 == 0 && !live.is_empty() {
                    let (start, size) = live.swap_remove(choice % live.len());
                    allocator.free(BASE, start, size);
                    continue;
                }
                if let Some(start) = allocate(&allocator, size, 1 << align) {
                    prop_assert_eq!(start % (1 << align), 0);
                    prop_assert!(BASE <= start && start + size <= END);
                    for (other, length) in &live {
                        prop_assert!(start + size <= *other || other + length <= start);
                    }
                    live.push((start, size));
                }
            }
        }
    }
}
