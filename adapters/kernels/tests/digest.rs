//! Every digest kernel that this machine can run against `DigestKind::id_of`, with the same inputs for all.

use desync_core::digest::{ChunkId, DigestKind};
use desync_core::{HashKernel, VerifiedChunk};
use desync_kernels::Kernels;
use desync_test_kit::prng;
use proptest::prelude::*;

const KINDS: [DigestKind; 2] = [DigestKind::Sha512_256, DigestKind::Sha256];

/// Compares every kernel with the digest of each chunk by itself.
fn check(chunks: &[&[u8]]) {
    for kind in KINDS {
        let wanted: Vec<ChunkId> = chunks.iter().map(|chunk| kind.id_of(chunk)).collect();
        for (level, kernels) in Kernels::available() {
            let found = kernels.hash.ids_of(kind, chunks);
            let wrong = found.iter().zip(&wanted).position(|(found, wanted)| found != wanted);
            assert!(
                wrong.is_none() && found.len() == wanted.len(),
                "{level}, {kind}: chunk {wrong:?} of {}, lengths {:?}",
                chunks.len(),
                chunks.iter().map(|chunk| chunk.len()).take(40).collect::<Vec<_>>(),
            );
        }
    }
}

#[test]
fn published_digests() {
    // FIPS 180-4's examples: the one-block and the two-block message.
    let two_blocks: &[u8] = b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno\
                              ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";
    let chunks = [&b"abc"[..], two_blocks].repeat(16);
    for (level, kernels) in Kernels::available() {
        let ids = kernels.hash.ids_of(DigestKind::Sha512_256, &chunks);
        for pair in ids.chunks(2) {
            let found = [pair[0].to_string(), pair[1].to_string()];
            let wanted = [
                "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23",
                "3928e184fb8690f840da3988121d31be65cb9d3ef83ee6146feac861e19b563a",
            ];
            assert_eq!(found, wanted, "{level}");
        }
        for id in kernels.hash.ids_of(DigestKind::Sha256, &[&b"abc"[..]; 17]) {
            assert_eq!(id.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        }
    }
}

#[test]
fn every_number_of_equal_chunks() {
    let bytes = prng(70 * 1000, 1);
    for count in 0..70 {
        let chunks: Vec<&[u8]> = bytes.chunks(1000).take(count).collect();
        check(&chunks);
    }
}

#[test]
fn every_length_around_blocks_in_every_lane() {
    let bytes = prng(2000, 2);
    for len in 0..=600 {
        check(&vec![&bytes[len..2 * len]; 17]);
    }
}

#[test]
fn lengths_that_end_lanes_one_after_the_other() {
    let bytes = prng(20_000, 3);
    let ascending: Vec<&[u8]> = (0..150).map(|i| &bytes[i..i + i * 64]).collect();
    let descending: Vec<&[u8]> = ascending.iter().rev().copied().collect();
    check(&ascending);
    check(&descending);
    for count in [2, 3, 7, 8, 9, 15, 16, 17, 31, 33] {
        check(&ascending[150 - count..]);
    }
}

#[test]
fn empty_chunks_among_others() {
    let bytes = prng(5000, 4);
    check(&[&[][..]; 33]);
    for count in [1, 8, 9, 40] {
        let mut chunks: Vec<&[u8]> = vec![&[]; count];
        chunks[count / 2] = &bytes;
        check(&chunks);
        let mut chunks: Vec<&[u8]> = vec![&bytes; count];
        chunks[count / 2] = &[];
        check(&chunks);
    }
}

#[test]
fn one_long_chunk_beside_many_short() {
    let bytes = prng(300_000, 5);
    let mut chunks: Vec<&[u8]> = bytes.chunks(317).take(100).collect();
    chunks.push(&bytes);
    check(&chunks);
}

#[test]
fn each_byte_value_in_runs() {
    let runs: Vec<Vec<u8>> = (0..=255).map(|value| vec![value; 128 + usize::from(value)]).collect();
    check(&runs.iter().map(Vec::as_slice).collect::<Vec<_>>());
}

#[test]
fn starts_at_every_alignment() {
    let bytes = prng(1000, 6);
    let chunks: Vec<&[u8]> = (0..130).map(|start| &bytes[start..start + 700]).collect();
    check(&chunks);
}

#[test]
fn kernels_pass_what_is_right_and_nothing_else() {
    let bytes = prng(40_000, 7);
    let chunks: Vec<&[u8]> = bytes.chunks(1234).collect();
    for kind in KINDS {
        let named = VerifiedChunk::name_many(HashKernel::REFERENCE, kind, chunks.iter().copied());
        for (_, kernels) in Kernels::available() {
            assert_eq!(VerifiedChunk::name_many(kernels.hash, kind, chunks.iter().copied()), named);
            let asked = named.iter().enumerate().map(|(i, chunk)| match i % 5 {
                3 => (chunk.id(), &chunk.bytes()[1..]),
                _ => (chunk.id(), chunk.bytes()),
            });
            let checked = VerifiedChunk::check_many(kernels.hash, kind, asked);
            for (i, result) in checked.iter().enumerate() {
                assert_eq!(result.is_err(), i % 5 == 3);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_chunks(
        bytes in proptest::collection::vec(any::<u8>(), 1..2000),
        places in proptest::collection::vec((any::<prop::sample::Index>(), 0..1500_usize), 0..60),
    ) {
        let slice = |(start, len): &(prop::sample::Index, usize)| {
            let start = start.index(bytes.len());
            &bytes[start..(start + len).min(bytes.len())]
        };
        check(&places.iter().map(slice).collect::<Vec<_>>());
    }
}
