//! The updater as `libdesync.a`: what a finished library has and a part of a program may not.
//!
//! The functions are those of [`desync_ffi`]. Here are the panic handler, since nothing unwinds into C, and an
//! allocator that the compiler asks for, since other parts of the core allocate: those that are linked do not.
#![no_std]
#![allow(unsafe_code, reason = "an allocator is a trait of unsafe functions")]

use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;
use core::ptr;

pub use desync_ffi;

/// Gives out nothing.
struct NoHeap;

// SAFETY: an allocator may always fail, and what was never given out is never given back.
unsafe impl GlobalAlloc for NoHeap {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static HEAP: NoHeap = NoHeap;

#[panic_handler]
fn panicked(info: &PanicInfo<'_>) -> ! {
    let place = info.location();
    desync_ffi::fatal(place.map_or("", |place| place.file()), place.map_or(0, |place| place.line()))
}
