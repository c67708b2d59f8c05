//! Bootloader for the MPS2 board with the AN386 image (Cortex-M4F).
#![no_std]
#![no_main]

use cortex_m_rt::entry;

// Whatever it links that could allocate, it does not.
board_support::heap!(1 << 10);

#[entry]
fn main() -> ! {
    HEAP.init();
    board_support::mps2::boot()
}
