//! How deep the stack was: cortex-m-rt paints it before `main`, and what is still painted was never used.
#![allow(unsafe_code, reason = "the stack's limits are symbols of the linker script")]

use core::ptr;

/// What cortex-m-rt paints with.
const PAINT: u32 = 0xcccc_cccc;

unsafe extern "C" {
    static _stack_start: u32;
    static _stack_end: u32;
}

/// Bytes of stack that were ever used.
#[must_use]
pub fn peak() -> usize {
    let (top, mut at) = (&raw const _stack_start as usize, &raw const _stack_end as usize);
    // SAFETY: whole words between the two symbols are RAM set aside for the stack.
    while at < top && unsafe { ptr::read_volatile(at as *const u32) } == PAINT {
        at += 4;
    }
    top - at
}
