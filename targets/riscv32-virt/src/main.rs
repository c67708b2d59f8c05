//! Firmware for QEMU's RISC-V machine `virt`: the update on another processor.
//!
//! The flash is a file on the host, as on the Netduino.
#![no_std]
#![no_main]

use board_support::host_flash;
use board_support::uart::ns16550::Ns16550;
use riscv_rt::entry;

// What an update takes, with an index of as many chunks as board-support allows.
board_support::heap!(34 << 10);

#[entry]
fn main() -> ! {
    HEAP.init();
    host_flash::run(Ns16550::new(), || (HEAP.peak(), 0))
}
