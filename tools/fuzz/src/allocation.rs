//! How much memory a piece of code asks for at most: an allocator that counts.
//!
//! Counts are kept for each thread, so tests may run side by side. What another thread frees is not seen;
//! targets do not start any.
#![allow(unsafe_code, reason = "GlobalAlloc is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn taken(len: usize) {
    // A thread that is ending has no counters any more.
    let _ = HELD.try_with(|held| {
        held.set(held.get().saturating_add(len));
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

fn given_back(len: usize) {
    let _ = HELD.try_with(|held| held.set(held.get().saturating_sub(len)));
}

// SAFETY: every call goes to the system's allocator with the layout that came; counting touches nothing else.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        // SAFETY: as promised by our caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        // SAFETY: as promised by our caller.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        given_back(layout.size());
        // SAFETY: as promised by our caller.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, len: usize) -> *mut u8 {
        // Both may be held while the bytes move.
        taken(len);
        given_back(layout.size());
        // SAFETY: as promised by our caller.
        unsafe { System.realloc(memory, layout, len) }
    }
}

/// Runs `code` and tells how many bytes this thread held at most above what it held before.
pub fn peak_of<T>(code: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let value = code();
    (value, PEAK.get().saturating_sub(before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_seen_after_it_is_gone() {
        let (len, peak) = peak_of(|| {
            drop(vec![1_u8; 100_000]);
            vec![1_u8; 10].len()
        });
        assert_eq!(len, 10);
        assert!((100_000..110_000).contains(&peak), "{peak}");
    }
}
