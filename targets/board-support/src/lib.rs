//! What boards share: the smoke case, and logs over a UART.
//!
//! A board's own folder has what a second board could not use: its memory map, its heap, its entry point.
#![no_std]

extern crate alloc;

mod cmsdk_uart;
mod log;
mod smoke;

// Linked for its critical section, which the logger and the heap take.
use cortex_m as _;
use semihosting::process::ExitCode;

/// Runs the smoke case, says how it went, and ends the emulator: 0 when all was right, else 1.
pub fn run_smoke() -> ! {
    match smoke::run() {
        Ok(()) => {
            semihosting::println!("smoke: passed");
            ExitCode::SUCCESS.exit_process()
        }
        Err(failure) => {
            defmt::error!("{}", failure);
            semihosting::eprintln!("smoke: {failure}");
            ExitCode::FAILURE.exit_process()
        }
    }
}
