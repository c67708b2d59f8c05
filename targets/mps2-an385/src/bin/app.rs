//! An image for the MPS2 board with the AN385 image (Cortex-M3): it updates itself.
#![no_std]
#![no_main]

use board_support::mps2::{self, Release};
use cortex_m_rt::entry;

// What an update takes, with an index of as many chunks as board-support allows.
board_support::heap!(34 << 10);

static RELEASE: Release = mps2::release!();

#[entry]
fn main() -> ! {
    HEAP.init();
    let syst = cortex_m::Peripherals::take().map(|peripherals| peripherals.SYST);
    mps2::run(&RELEASE, syst.expect("nobody took them before"), at_end)
}

/// Versions differ as real ones do: the second says what memory it took.
fn at_end() {
    if RELEASE.version >= 2 {
        board_support::report_memory(HEAP.peak(), board_support::stack::peak());
    }
}
