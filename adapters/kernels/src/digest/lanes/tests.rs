//! The frame by itself, with lanes of plain code: runs on every machine.

use alloc::vec;
use alloc::vec::Vec;

use desync_core::digest::DigestKind;

use super::*;
use crate::digest::function::{Sha256, Sha512_256};

/// Lanes that are compressed one after the other, and see that all are given equally much.
fn plain<S: Sha2, const LANES: usize>(few: usize) -> Compressor<S, LANES> {
    let compress = |states: &mut States<S::Word, LANES>, blocks: &[&[S::Block]; LANES]| {
        assert!(!blocks[0].is_empty());
        for (lane, blocks_of_lane) in blocks.iter().enumerate() {
            assert_eq!(blocks_of_lane.len(), blocks[0].len());
            let mut single = state(states, lane);
            S::compress(&mut single, blocks_of_lane);
            set_state(states, lane, &single);
        }
    };
    Compressor { compress, few }
}

fn check<S: Sha2, const LANES: usize>(kind: DigestKind, messages: &[&[u8]]) {
    for few in [0, 1, LANES - 1] {
        let mut ids = vec![ChunkId([0; 32]); messages.len()];
        digest_many::<S, LANES>(plain(few), messages, &mut ids);
        let wanted: Vec<_> = messages.iter().map(|message| kind.id_of(message)).collect();
        assert_eq!(ids, wanted, "{LANES} lanes, {few} are few");
    }
}

#[test]
fn every_number_of_messages_for_every_number_of_lanes() {
    let bytes = desync_test_kit::prng(4000, 17);
    for count in 0..20 {
        let messages: Vec<&[u8]> = (0..count).map(|i| &bytes[i * 7..i * 7 + i * i * 113 % 3000]).collect();
        check::<Sha512_256, 2>(DigestKind::Sha512_256, &messages);
        check::<Sha512_256, 8>(DigestKind::Sha512_256, &messages);
        check::<Sha256, 3>(DigestKind::Sha256, &messages);
        check::<Sha256, 16>(DigestKind::Sha256, &messages);
    }
}

#[test]
fn every_length_of_the_ending() {
    let bytes = desync_test_kit::prng(400, 18);
    let messages: Vec<&[u8]> = (0..bytes.len()).map(|len| &bytes[..len]).collect();
    check::<Sha512_256, 4>(DigestKind::Sha512_256, &messages);
    check::<Sha256, 4>(DigestKind::Sha256, &messages);
}
