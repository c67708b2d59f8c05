//! What boards share: flash with its rules, lines, logs, the update, and the smoke case.
//!
//! A board's own folder has what a second board could not use: its memory map, its heap, its entry point.
#![no_std]

extern crate alloc;

pub mod flash;
mod heap;
#[cfg(not(feature = "mps2"))]
pub mod host_flash;
mod log;
#[cfg(feature = "mps2")]
pub mod mps2;
pub mod options;
mod smoke;
#[cfg(target_arch = "arm")]
pub mod stack;
pub mod uart;
pub mod update;

// Linked for their critical sections, which the logger and the heap take.
#[cfg(target_arch = "arm")]
use cortex_m as _;
#[cfg(target_arch = "riscv32")]
use riscv as _;
use semihosting::process::ExitCode;

pub use heap::Heap;

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

/// Says how many bytes of heap and stack were ever used; 0 stands for unknown.
pub fn report_memory(heap: usize, stack: usize) {
    semihosting::println!("memory: heap {heap} stack {stack}");
}
