//! Firmware for the Netduino Plus 2 (STM32F405): an update in the memory of a small device.
//!
//! The flash is a file on the host, since this machine has none that outlives the emulator: the new image is
//! proven there and put on trial, not run.
#![no_std]
#![no_main]

use board_support::uart::cortex::start_clock;
use board_support::uart::stm32::Stm32Usart;
use board_support::{host_flash, stack};
use cortex_m_rt::entry;

// What an update takes, with an index of as many chunks as board-support allows.
board_support::heap!(34 << 10);

/// As QEMU's machine runs it.
const HERTZ: u32 = 168_000_000;

#[entry]
fn main() -> ! {
    HEAP.init();
    let peripherals = cortex_m::Peripherals::take().expect("nobody took them before");
    start_clock(peripherals.SYST, HERTZ);
    host_flash::run(Stm32Usart::usart1(), || (HEAP.peak(), stack::peak()))
}
