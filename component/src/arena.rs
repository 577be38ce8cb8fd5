//! The component's memory allocator: first what its initial memory has left, then further pages.
//!
//! An instance lives for one request, and a memory that grows costs system calls and page faults in every one of them.
//! What is usual fits the first page; the longest request targets that the field's hosts pass on (64 KiB) do not.

use core::alloc::Layout;
use core::arch::wasm32::{memory_grow, memory_size};

use talc::base::Talc;
use talc::base::binning::Binning;
use talc::cell::TalcSyncCell;
use talc::source::Source;
use talc::wasm::WasmBinning;

const PAGE: usize = 64 * 1024;

/// Bytes, and more than the allocator needs beside what it hands out.
const OVERHEAD: usize = 64;

#[global_allocator]
static ALLOCATOR: TalcSyncCell<Memory, WasmBinning> = TalcSyncCell::new_wasm(Memory { is_used: false });

/// The memory of the instance behind its stack and its data.
#[derive(Debug)]
struct Memory {
    is_used: bool,
}

// SAFETY: what it hands over is memory that nothing else uses, and it does not allocate.
#[expect(unsafe_code, reason = "an allocator is handed raw memory")]
unsafe impl Source for Memory {
    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, layout: Layout) -> Result<(), ()> {
        unsafe extern "C" {
            /// Where the linker lays nothing out any more.
            static mut __heap_base: u8;
        }
        if !talc.source.is_used {
            talc.source.is_used = true;
            let base = &raw mut __heap_base;
            // SAFETY: the allocator alone knows of it. Where that is too little, this is called again.
            unsafe { talc.claim(base, memory_size::<0>() * PAGE - base as usize) };
            return Ok(());
        }
        let pages = (layout.size() + layout.align() + OVERHEAD) / PAGE + 1;
        let begin = memory_grow::<0>(pages);
        if begin == usize::MAX {
            return Err(());
        }
        // SAFETY: as above.
        let claimed = unsafe { talc.claim((begin * PAGE) as *mut u8, pages * PAGE) };
        claimed.map(drop).ok_or(())
    }
}
