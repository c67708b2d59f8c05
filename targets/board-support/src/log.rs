//! defmt's frames over a board's second UART: `defmt-print -e ELF < file` decodes what `-serial file:` caught.
//! A board without a second UART keeps no log.
#![allow(unsafe_code, reason = "defmt's logger is a trait of unsafe functions over one global state")]

use core::cell::UnsafeCell;

use critical_section::RestoreState;

#[cfg(feature = "mps2")]
use crate::uart::cmsdk::send_log as send;
#[cfg(feature = "stm32f4")]
use crate::uart::stm32::send_log as send;

#[cfg(feature = "riscv-virt")]
const fn send(_: &[u8]) {}

#[defmt::global_logger]
struct UartLogger;

/// The frame in progress, and what its critical section must restore.
struct Frame(UnsafeCell<(defmt::Encoder, RestoreState)>);

// SAFETY: only `acquire` to `release` touch the cell, and a critical section spans them: boards have one core.
unsafe impl Sync for Frame {}

static FRAME: Frame = Frame(UnsafeCell::new((defmt::Encoder::new(), RestoreState::invalid())));

// SAFETY: defmt calls acquire, then write and flush, then release; all of it within one critical section.
unsafe impl defmt::Logger for UartLogger {
    fn acquire() {
        // SAFETY: `release` gives the section back; within it, the cell is ours alone.
        unsafe {
            let restore = critical_section::acquire();
            let frame = &mut *FRAME.0.get();
            frame.1 = restore;
            frame.0.start_frame(send);
        }
    }

    unsafe fn flush() {
        // `send` waits for each byte: nothing is held back.
    }

    unsafe fn release() {
        // SAFETY: called after `acquire`, so the cell is ours until the section ends.
        unsafe {
            let frame = &mut *FRAME.0.get();
            frame.0.end_frame(send);
            critical_section::release(frame.1);
        }
    }

    unsafe fn write(bytes: &[u8]) {
        // SAFETY: called between `acquire` and `release`, so the cell is ours.
        unsafe { (*FRAME.0.get()).0.write(bytes, send) }
    }
}
