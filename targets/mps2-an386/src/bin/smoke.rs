//! Smoke firmware for the MPS2 board with the AN386 image (Cortex-M4F).
#![no_std]
#![no_main]

use cortex_m_rt::entry;

// A 12000-byte chunk decodes in it.
board_support::heap!(128 << 10);

#[entry]
fn main() -> ! {
    HEAP.init();
    board_support::run_smoke()
}
