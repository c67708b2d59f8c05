//! All kernels against the reference.

use alloc::vec::Vec;
use core::num::NonZeroU32;

use proptest::prelude::*;

use super::*;
use crate::chunking::zero_window_is_candidate;

fn discriminator(d: u32) -> Discriminator {
    Discriminator::new(NonZeroU32::new(d).unwrap())
}

fn all(kernel: Kernel, bytes: &[u8], d: u32) -> Vec<usize> {
    let mut positions = Vec::new();
    kernel.candidates(bytes, discriminator(d), &mut |position| positions.push(position));
    positions
}

#[test]
fn kernels_agree_on_every_short_length() {
    let bytes = desync_test_kit::prng(200, 3);
    for len in 0..bytes.len() {
        for d in [1, 2, 3, 24] {
            assert_eq!(all(Kernel::SCALAR, &bytes[..len], d), all(Kernel::REFERENCE, &bytes[..len], d));
        }
    }
    assert_eq!(all(Kernel::SCALAR, &bytes[..48], 1), [48]);
    assert!(all(Kernel::SCALAR, &bytes[..47], 1).is_empty());
}

#[test]
fn kernels_agree_where_zeros_pass() {
    assert!(zero_window_is_candidate(discriminator(3943)));
    let bytes = [&desync_test_kit::prng(100, 1)[..], &[0; 300], &[0xff; 77]].concat();
    let found = all(Kernel::SCALAR, &bytes, 3943);
    assert_eq!(found, all(Kernel::REFERENCE, &bytes, 3943));
    assert!((148..=400).all(|position| found.contains(&position)));
}

#[test]
fn those_apart_are_what_each_one_reported_leaves() {
    let bytes = desync_test_kit::prng(20_000, 11);
    for kernel in Kernel::PORTABLE {
        for (d, len) in [(1, 300), (24, 3000), (192, 20_000), (192, 47)] {
            let every = all(kernel, &bytes[..len], d);
            for distance in [1, 2, 7, 8, 9, 10, 48, 100, 1000, usize::MAX] {
                let (mut from, mut wanted, mut apart) = (0, Vec::new(), Vec::new());
                for &position in &every {
                    if position >= from {
                        wanted.push(position);
                        from = position.saturating_add(distance);
                    }
                }
                let mut keep = |position| apart.push(position);
                kernel.candidates_apart(&bytes[..len], discriminator(d), distance, &mut keep);
                assert_eq!(apart, wanted, "{kernel:?}, {d}, {distance}");
            }
        }
    }
}

#[test]
fn first_is_the_first_of_all() {
    let bytes = desync_test_kit::prng(20_000, 11);
    for kernel in Kernel::PORTABLE {
        for start in [0, 1, 500, 19_940] {
            let bytes = &bytes[start..];
            let first = kernel.first_candidate(bytes, discriminator(192));
            assert_eq!(first, all(kernel, bytes, 192).first().copied());
        }
    }
}

#[test]
fn parts_that_overlap_by_47_bytes_give_the_whole() {
    let bytes = desync_test_kit::prng(10_000, 5);
    let whole = all(Kernel::SCALAR, &bytes, 24);
    for part_len in [1, 7, 48, 1000] {
        let mut joined = Vec::new();
        for start in (0..bytes.len()).step_by(part_len) {
            let from = start.saturating_sub(47);
            let to = bytes.len().min(start + part_len);
            joined.extend(all(Kernel::SCALAR, &bytes[from..to], 24).iter().map(|position| from + position));
        }
        assert_eq!(joined, whole);
    }
}

proptest! {
    #[test]
    fn kernels_agree_on_any_bytes(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        repeat in 1..4_usize,
        d in prop_oneof![1..8_u32, 1..1000_u32, any::<u32>().prop_map(|d| d.max(1))],
    ) {
        let bytes = bytes.repeat(repeat);
        prop_assert_eq!(all(Kernel::SCALAR, &bytes, d), all(Kernel::REFERENCE, &bytes, d));
    }
}
