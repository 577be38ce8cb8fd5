//! A bump allocator: memory is given out front to back.
//!
//! An instance lives for one request, so what is given back need not be found again, unless it is the last. Where a host
//! lets an instance live on, all that a request took has been given back at its end, and the arena begins anew.

use core::alloc::Layout;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What is given out of a memory that begins at some base. A component of WASI 0.2 has one thread: the atomics are plain
/// loads and stores.
#[derive(Debug)]
pub(crate) struct Arena {
    /// Bytes, from the base on.
    used: AtomicUsize,
    /// Allocations that live.
    live: AtomicUsize,
}

impl Arena {
    pub(crate) const fn new() -> Self {
        Self {
            used: AtomicUsize::new(0),
            live: AtomicUsize::new(0),
        }
    }

    /// The address of a new allocation, behind all that live; none where there is no memory up to its end, which `reach`
    /// is asked for.
    pub(crate) fn allocate(&self, base: usize, layout: Layout, reach: impl FnOnce(usize) -> bool) -> Option<usize> {
        let free = base.checked_add(self.used.load(Relaxed))?;
        let begin = free.checked_next_multiple_of(layout.align())?;
        let end = begin.checked_add(layout.size())?;
        if !reach(end) {
            return None;
        }
        self.used.store(end - base, Relaxed);
        self.live.fetch_add(1, Relaxed);
        Some(begin)
    }

    /// Takes back an allocation of `size` bytes at `begin`.
    pub(crate) fn free(&self, base: usize, begin: usize, size: usize) {
        if self.live.fetch_sub(1, Relaxed) == 1 {
            self.used.store(0, Relaxed);
        } else if begin + size == base + self.used.load(Relaxed) {
            self.used.store(begin - base, Relaxed);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BASE: usize = 20_880;
    const END: usize = 65_536;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    fn allocate(arena: &Arena, size: usize, align: usize) -> Option<usize> {
        arena.allocate(BASE, layout(size, align), |end| end <= END)
    }

    #[test]
    fn it_begins_anew_when_all_is_given_back() {
        let arena = Arena::new();
        for _ in 0..1000 {
            let (first, second) = (
                allocate(&arena, 20_000, 8).unwrap(),
                allocate(&arena, 20_000, 8).unwrap(),
            );
            arena.free(BASE, first, 20_000);
            assert_eq!(allocate(&arena, 20_000, 8), None, "the first is not the last");
            arena.free(BASE, second, 20_000);
        }
    }

    #[test]
    fn the_last_is_given_out_again() {
        let arena = Arena::new();
        allocate(&arena, 1, 1).unwrap();
        for _ in 0..1000 {
            let last = allocate(&arena, 40_000, 16).unwrap();
            arena.free(BASE, last, 40_000);
        }
    }

    #[test]
    fn what_cannot_be_had_takes_nothing() {
        let arena = Arena::new();
        assert_eq!(allocate(&arena, END, 1), None);
        assert_eq!(allocate(&arena, END - BASE, 1), Some(BASE));
    }

    #[test]
    fn addresses_do_not_wrap() {
        let there_is = |_| true;
        let arena = Arena::new();
        assert_eq!(arena.allocate(usize::MAX - 1, layout(16, 8), there_is), None);
        assert_eq!(arena.allocate(usize::MAX - 7, layout(16, 8), there_is), None);
        arena.allocate(8, layout(8, 8), there_is).unwrap();
        assert_eq!(arena.allocate(usize::MAX, layout(1, 1), there_is), None);
    }

    proptest! {
        #[test]
        fn allocations_are_aligned_and_apart(steps in prop::collection::vec((0..2000_usize, 0..6_u32, any::<usize>()), 1..100)) {
            let arena = Arena::new();
            let mut live = Vec::new();
            for (size, align, which) in steps {
                if which % 3 == 0 && !live.is_empty() {
                    let (begin, size) = live.swap_remove(which % live.len());
                    arena.free(BASE, begin, size);
                    continue;
                }
                if let Some(begin) = allocate(&arena, size, 1 << align) {
                    prop_assert_eq!(begin % (1 << align), 0);
                    prop_assert!(BASE <= begin && begin + size <= END);
                    for (other, length) in &live {
                        prop_assert!(begin + size <= *other || other + length <= begin);
                    }
                    live.push((begin, size));
                }
            }
        }
    }
}
