//! Sending over a CMSDK UART, the kind that Arm's MPS2 boards have five of.
//!
//! Registers, 32 bits each: 0x0 DATA, 0x4 STATE (bit 0: the send buffer is full), 0x8 CTRL (bit 0: send),
//! 0x10 BAUDDIV (at least 16). Source: Arm Cortex-M System Design Kit, APB UART.
#![allow(unsafe_code, reason = "registers are reached by their addresses")]

use core::ptr;

/// The second UART; the first one is left to a protocol. Source: Arm application note AN386, memory map.
const UART1: usize = 0x4000_5000;

const DATA: *mut u32 = UART1 as *mut u32;
const STATE: *const u32 = (UART1 + 0x4) as *const u32;
const CTRL: *mut u32 = (UART1 + 0x8) as *mut u32;
const BAUDDIV: *mut u32 = (UART1 + 0x10) as *mut u32;

/// Sends bytes, waiting for each to go.
pub(crate) fn send(bytes: &[u8]) {
    // SAFETY: these are the registers of a UART on every board that links this crate, aligned and always
    // mapped; nobody else uses them, and setting them up again changes nothing.
    unsafe {
        ptr::write_volatile(BAUDDIV, 16);
        ptr::write_volatile(CTRL, 1);
        for byte in bytes {
            while ptr::read_volatile(STATE) & 1 != 0 {}
            ptr::write_volatile(DATA, u32::from(*byte));
        }
    }
}
