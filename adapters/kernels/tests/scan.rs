//! Every scan that this machine can run against core's reference, with the same inputs for all.

#![allow(clippy::print_stdout, reason = "a log of tests must tell which kernels they were of")]

use std::num::NonZeroU32;

use desync_core::chunking::rolling_hash::RollingHash;
use desync_core::chunking::{Discriminator, Kernel, WINDOW_LEN, zero_window_is_candidate};
use desync_kernels::{Kernels, Level};
use desync_test_kit::prng;
use proptest::prelude::*;

/// Positions in one strip, and the lanes of the widths: lengths around them are where a frame goes wrong.
const STRIP_LEN: usize = 15 * WINDOW_LEN;
const LANES: [usize; 2] = [8, 16];

fn discriminator(d: u32) -> Discriminator {
    Discriminator::new(NonZeroU32::new(d).unwrap())
}

fn all(kernel: Kernel, bytes: &[u8], d: u32) -> Vec<usize> {
    let mut positions = Vec::new();
    kernel.candidates(bytes, discriminator(d), &mut |position| positions.push(position));
    positions
}

fn apart(kernel: Kernel, bytes: &[u8], d: u32, distance: usize) -> Vec<usize> {
    let mut positions = Vec::new();
    kernel.candidates_apart(bytes, discriminator(d), distance, &mut |position| positions.push(position));
    positions
}

/// What is left of candidates if each passes over those that are less than `distance` behind it.
fn thinned(candidates: &[usize], distance: usize) -> Vec<usize> {
    let mut from = 0;
    let mut keep = |position: &usize| {
        let is_kept = *position >= from;
        if is_kept {
            from = position.saturating_add(distance);
        }
        is_kept
    };
    candidates.iter().copied().filter(|position| keep(position)).collect()
}

/// Compares every kernel with the reference; says how many candidates there are.
fn check(bytes: &[u8], d: u32) -> usize {
    let wanted = all(Kernel::REFERENCE, bytes, d);
    for (level, kernels) in Kernels::available() {
        let found = all(kernels.scan, bytes, d);
        assert!(
            found == wanted,
            "{level}: {} bytes, d {d}: {}",
            bytes.len(),
            first_difference(&found, &wanted)
        );
        let first = kernels.scan.first_candidate(bytes, discriminator(d));
        assert_eq!(first, wanted.first().copied(), "{level}: {} bytes, d {d}", bytes.len());
        for distance in [2, 1000, 16 << 10, 30_000, usize::MAX] {
            let found = apart(kernels.scan, bytes, d, distance);
            assert!(
                found == thinned(&wanted, distance),
                "{level}: {} bytes, d {d}, {distance} bytes apart: {}",
                bytes.len(),
                first_difference(&found, &thinned(&wanted, distance))
            );
        }
    }
    wanted.len()
}

fn first_difference(found: &[usize], wanted: &[usize]) -> String {
    let at = found.iter().zip(wanted).take_while(|(found, wanted)| found == wanted).count();
    format!("candidate {at} is {:?}, not {:?}", found.get(at), wanted.get(at))
}

/// What CI shows in its log; an environment variable names levels that must be there.
#[test]
fn levels_of_this_machine() {
    let names: Vec<_> = Kernels::available().map(|(level, _)| level.name()).collect();
    println!("kernels tested on this machine: {}", names.join(", "));
    for level in Level::ALL.into_iter().filter(|level| !level.is_available()) {
        println!("kernels NOT tested, since this machine lacks what they need: {level}");
    }
    let required = std::env::var("DESYNC_TEST_KERNELS").unwrap_or_default();
    for name in required.split(',').filter(|name| !name.is_empty()) {
        assert!(names.contains(&name), "DESYNC_TEST_KERNELS asks for {name}, which did not run");
    }
}

#[test]
fn every_short_length() {
    let bytes = prng(300, 3);
    for len in 0..bytes.len() {
        for d in [1, 2, 3, 24] {
            check(&bytes[..len], d);
        }
    }
}

#[test]
fn lengths_around_every_window_of_strips() {
    let bytes = prng(3 * 16 * STRIP_LEN + 200, 4);
    for lanes in LANES {
        for windows in [1, 2, 3] {
            let whole = windows * lanes * STRIP_LEN + WINDOW_LEN;
            let quarter = lanes * STRIP_LEN / 4;
            for around in [whole, whole + quarter, whole + 3 * quarter] {
                for len in (around - 2..=around + 2).filter(|&len| len <= bytes.len()) {
                    assert!(check(&bytes[..len], 192) > 0);
                }
            }
        }
    }
}

#[test]
fn starts_at_every_alignment() {
    let bytes = prng(17 * STRIP_LEN, 5);
    for start in 0..70 {
        check(&bytes[start..], 768);
    }
}

#[test]
fn each_byte_value_in_runs_and_among_others() {
    for value in 0..=255 {
        let mut bytes = vec![value; 9 * STRIP_LEN];
        let run = check(&bytes, 3943);
        assert!(run == 0 || run == bytes.len() - WINDOW_LEN + 1);
        bytes[4000..5000].copy_from_slice(&prng(1000, u64::from(value)));
        check(&bytes, 61);
    }
}

#[test]
fn all_pairs_of_byte_values() {
    let bytes: Vec<u8> = (0..=255).flat_map(|a| (0..=255).flat_map(move |b| [a, b])).collect();
    assert!(check(&bytes, 127) > 0);
}

#[test]
fn every_position_passes() {
    let bytes = prng(20 * STRIP_LEN + 77, 6);
    assert_eq!(check(&bytes, 1), bytes.len() - WINDOW_LEN + 1);
    assert!(zero_window_is_candidate(discriminator(3943)));
    assert_eq!(check(&[0; 20 * STRIP_LEN], 3943), 20 * STRIP_LEN - WINDOW_LEN + 1);
}

#[test]
fn repeats_of_adversarial_periods() {
    for period in [1, 2, 16, 47, 48, 49, 64, STRIP_LEN - 1, STRIP_LEN, STRIP_LEN + 1] {
        let bytes = prng(period, period as u64).repeat(40 * STRIP_LEN / period);
        // One window of the data passes by choice of the discriminator, and with it each of its repeats.
        let hash = RollingHash::fill(bytes.last_chunk().unwrap()).value();
        let d = hash.wrapping_add(1).max(1);
        let windows = bytes.len() - WINDOW_LEN + 1;
        assert!(check(&bytes, d) >= windows / period, "period {period}");
        check(&bytes, 192);
    }
}

#[test]
fn every_power_and_kind_of_discriminator() {
    let bytes = prng(17 * STRIP_LEN, 8);
    for k in 0..32 {
        for odd in [1_u32, 3, 5, 49_535] {
            if let Some(d) = odd.checked_mul(1 << k) {
                check(&bytes, d);
            }
        }
    }
    for d in [u32::MAX, u32::MAX - 1, (1 << 31) + 1] {
        check(&bytes, d);
    }
}

/// Every kernel looks up the same words: with `d` one more than a hash, that window alone must pass.
#[test]
fn single_windows_are_found_in_every_lane() {
    let bytes = prng(33 * STRIP_LEN, 9);
    for start in (0..bytes.len() - WINDOW_LEN).step_by(STRIP_LEN / 3 + 1) {
        let hash = RollingHash::fill(bytes[start..].first_chunk().unwrap()).value();
        if hash > 1 << 30 && hash < u32::MAX {
            let found = all(Kernels::detect().scan, &bytes, hash + 1);
            assert!(found.contains(&(start + WINDOW_LEN)));
            check(&bytes, hash + 1);
        }
    }
}

#[test]
fn a_scan_stops_where_it_is_told() {
    let bytes = prng(40 * STRIP_LEN, 10);
    for (level, kernels) in Kernels::available() {
        for start in [0, 1, 5000, 20_000, bytes.len() - 100] {
            let bytes = &bytes[start..];
            let wanted = all(Kernel::REFERENCE, bytes, 192).first().copied();
            assert_eq!(kernels.scan.first_candidate(bytes, discriminator(192)), wanted, "{level}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes(
        part in proptest::collection::vec(any::<u8>(), 1..3000),
        len in 0..3 * 16 * STRIP_LEN,
        d in prop_oneof![1..8_u32, 1..1000_u32, any::<u32>().prop_map(|d| d.max(1))],
    ) {
        let bytes: Vec<u8> = part.iter().copied().cycle().take(len).collect();
        check(&bytes, d);
    }
}
