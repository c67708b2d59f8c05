//! A heap of a declared length that knows how full it was.
#![allow(unsafe_code, reason = "an allocator is a trait of unsafe functions")]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use embedded_alloc::LlffHeap;

/// `LEN` bytes for allocations, as a global allocator.
#[repr(align(8))]
pub struct Heap<const LEN: usize> {
    inner: LlffHeap,
    memory: UnsafeCell<[MaybeUninit<u8>; LEN]>,
    is_ready: AtomicBool,
    peak: AtomicUsize,
}

// SAFETY: the memory is touched by `inner` only, which locks.
unsafe impl<const LEN: usize> Sync for Heap<LEN> {}

impl<const LEN: usize> Heap<LEN> {
    /// One that has nothing to give yet.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it is made in a static")]
    pub const fn new() -> Self {
        Self {
            inner: LlffHeap::empty(),
            memory: UnsafeCell::new([MaybeUninit::uninit(); LEN]),
            is_ready: AtomicBool::new(false),
            peak: AtomicUsize::new(0),
        }
    }

    /// Hands the memory over; before the first allocation, and once: the second time nothing happens.
    pub fn init(&'static self) {
        if !self.is_ready.swap(true, Ordering::Relaxed) {
            // SAFETY: the memory is static, is used for nothing else, and this happens once.
            unsafe { self.inner.init(self.memory.get() as usize, LEN) }
        }
    }

    /// The most bytes that were in use at once.
    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }
}

// SAFETY: passes everything on to an allocator.
unsafe impl<const LEN: usize> GlobalAlloc for Heap<LEN> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the same promises.
        let place = unsafe { self.inner.alloc(layout) };
        self.peak.fetch_max(self.inner.used(), Ordering::Relaxed);
        place
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the same promises.
        unsafe { self.inner.dealloc(place, layout) }
    }
}

/// Declares a board's heap, as `HEAP`.
#[macro_export]
macro_rules! heap {
    ($len:expr) => {
        #[global_allocator]
        static HEAP: $crate::Heap<{ $len }> = $crate::Heap::new();
    };
}
