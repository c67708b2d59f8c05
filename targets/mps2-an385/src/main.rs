//! Smoke firmware for the MPS2 board with the AN385 image (Cortex-M3).
//!
//! Gives the shared case its heap and its log, and ends the emulator with the verdict.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use embedded_alloc::LlffHeap;

/// Memory for the core, in bytes: a 12000-byte chunk decodes in it.
const HEAP_LEN: usize = 128 << 10;

#[global_allocator]
static HEAP: LlffHeap = LlffHeap::empty();

#[entry]
fn main() -> ! {
    // The macro's own code makes the heap's memory and hands it over exactly once.
    #[allow(unsafe_code)]
    // SAFETY: this is the only call, and it comes before the first allocation.
    unsafe {
        embedded_alloc::init!(HEAP, HEAP_LEN);
    }
    board_support::run_smoke()
}
