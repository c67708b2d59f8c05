//! How much heap a zstd frame can make the core's decoder take: it follows from the wanted length and the
//! stored length, not from numbers in the frame.

#![allow(unsafe_code)] // a global allocator cannot be written without

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use desync_core::Limits;
use desync_core::codec::{DecodeError, Decoder, ZstdDecoder};
use desync_test_kit::golden;

/// The system's allocator, counting what each thread holds.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(change: isize) {
    HELD.set(HELD.get() + change);
    PEAK.set(PEAK.get().max(HELD.get()));
}

// SAFETY: every call goes to the system's allocator unchanged; counting neither allocates nor fails.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most heap held at once while decoding with a fresh decoder, and the verdict.
fn peak(stored: &[u8], len_max: u64) -> (isize, Result<usize, DecodeError>) {
    let held = HELD.get();
    PEAK.set(held);
    let mut plain = Vec::new();
    let verdict = ZstdDecoder::new(&Limits::HOST).decode(stored, len_max, &mut plain);
    (PEAK.get() - held, verdict.map(|()| plain.len()))
}

/// A last compressed block in a frame with a window of `1024 << exponent` bytes and no declared length.
fn frame(exponent: u8, body: &[u8]) -> Vec<u8> {
    let word = (body.len() as u32) << 3 | 2 << 1 | 1;
    [&[0x28, 0xb5, 0x2f, 0xfd, 0, exponent << 3], &word.to_le_bytes()[..3], body].concat()
}

#[test]
fn defect_25_a_frame_of_a_few_bytes_cannot_take_much() {
    // 98047 sequences of 12 bytes each would be 1.1 MiB.
    let bomb = frame(0, &[0, 0xff, 0xff, 0xff, 0x54, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(bomb.len(), 23);
    assert_eq!(peak(&bomb, 1 << 27), (0, Err(DecodeError::Damaged)));
    // A million literals from one byte.
    assert_eq!(peak(&frame(17, &[0xfd, 0xff, 0xff, 7, 0]), 1 << 27), (0, Err(DecodeError::Damaged)));
    // A window of 128 MiB for next to nothing: one block of 128 KiB could still come out, no more.
    let (taken, verdict) = peak(&frame(17, &[0x09, b'a', 0]), 1 << 27);
    assert_eq!(verdict, Ok(1));
    assert!(taken < 300 << 10, "{taken}");
    // One copy of 131074 bytes where 1 KiB is allowed: codes repeated, the offset the last one.
    let copy = frame(0, &[0x08, b'a', 1, 0x54, 1, 0, 52, 0xff, 0xff, 0x01]);
    let (taken, verdict) = peak(&copy, 1 << 27);
    assert_eq!(verdict, Err(DecodeError::Damaged));
    assert!((128 << 10..300 << 10).contains(&taken), "{taken}: the copy is made before it is found too long");
}

#[test]
fn casyncs_wide_windows_cost_no_more_than_the_chunk() {
    let chunk = |member: &golden::Member| member.content.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
    let stored = golden::members("codec/codec-stores.tar").into_iter().find(chunk).unwrap().content;
    let (taken, verdict) = peak(&stored, 12_000);
    assert_eq!(verdict, Ok(12_000));
    assert!(taken < 90 << 10, "{taken} bytes, although the frame asks for 2 MiB");
}
