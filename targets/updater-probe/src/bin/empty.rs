//! A firmware that does nothing: what the other one is compared with.
#![no_std]
#![no_main]

use core::panic::PanicInfo;

use cortex_m as _;
use cortex_m_rt::entry;
use defmt as _;

#[entry]
fn main() -> ! {
    loop {
        core::hint::spin_loop();
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
