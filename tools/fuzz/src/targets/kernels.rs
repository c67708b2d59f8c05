//! Every set of kernels that this machine can run against the core's oracles: candidates and digests.
//!
//! An input is a short recipe, so that many are tried and lengths around every lane, block and window are
//! reached: runs of one byte value, repeats of any period, noise, and the input's own bytes. What comes of it
//! is scanned, and cut into chunks of lengths around whole blocks that share the lanes.

use std::num::NonZeroU32;

use desync_core::chunking::{Discriminator, Kernel};
use desync_core::{ChunkId, DigestKind};
use desync_kernels::Kernels;
use desync_test_kit::prng;

/// Bytes of a recipe's outcome: a few windows of the widest scan, and not so many that its oracle takes long.
const LEN_MAX: usize = 52 << 10;

pub(super) fn run(recipe: &[u8]) {
    let Some((&[d_low, d_high, shape], recipe)) = recipe.split_first_chunk() else { return };
    let d = Discriminator::new(NonZeroU32::MIN.saturating_add(u16::from_le_bytes([d_low, d_high]).into()));
    let bytes = cook(recipe);
    scans(&bytes, d);
    let chunks: Vec<&[u8]> = chunks_of(&bytes, shape);
    for kind in [DigestKind::Sha512_256, DigestKind::Sha256] {
        let wanted: Vec<ChunkId> = chunks.iter().map(|chunk| kind.id_of(chunk)).collect();
        for (level, kernels) in Kernels::available() {
            assert_eq!(kernels.hash.ids_of(kind, &chunks), wanted, "{kind} by {level}");
        }
    }
}

/// Follows a recipe: steps of four bytes, each of which makes as many bytes as its last two say.
fn cook(mut recipe: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = Vec::new();
    while let Some((&[kind, value, len_low, len_high], rest)) = recipe.split_first_chunk() {
        recipe = rest;
        let len = usize::from(u16::from_le_bytes([len_low, len_high])).min(LEN_MAX - bytes.len());
        match kind % 4 {
            0 => bytes.resize(bytes.len() + len, value),
            1 => {
                let period = (usize::from(value) + 1).min(bytes.len());
                let last = bytes[bytes.len() - period..].to_vec();
                bytes.extend(last.iter().cycle().take(len));
            }
            2 => bytes.extend(prng(len, value.into())),
            _ => {
                let (own, behind) = recipe.split_at(len.min(recipe.len()));
                bytes.extend_from_slice(own);
                recipe = behind;
            }
        }
    }
    bytes
}

fn scans(bytes: &[u8], d: Discriminator) {
    let positions = |kernel: Kernel| {
        let mut positions = Vec::new();
        kernel.candidates(bytes, d, &mut |position| positions.push(position));
        positions
    };
    let apart = |kernel: Kernel| {
        let mut positions = Vec::new();
        let distance = d.get() as usize / 3 + 1;
        kernel.candidates_apart(bytes, d, distance, &mut |position| positions.push(position));
        positions
    };
    let wanted = positions(Kernel::REFERENCE);
    for (level, kernels) in Kernels::available() {
        assert_eq!(positions(kernels.scan), wanted, "candidates by {level}");
        assert_eq!(kernels.scan.first_candidate(bytes, d), wanted.first().copied(), "the first by {level}");
        assert_eq!(apart(kernels.scan), apart(Kernel::REFERENCE), "those apart by {level}");
    }
}

/// Chunks until nothing is left, the last one short or empty: of any blocks up to `shape`, and of up to a third
/// of a block more or less.
fn chunks_of(bytes: &[u8], shape: u8) -> Vec<&[u8]> {
    let (mut chunks, mut rest) = (Vec::new(), bytes);
    let mut lengths = prng(8 << 10, shape.into()).into_iter().map(usize::from);
    while !rest.is_empty() {
        let (Some(blocks), Some(more)) = (lengths.next(), lengths.next()) else { break };
        let len = (blocks % (usize::from(shape) + 1) * 64 + more % 40).saturating_sub(20);
        let (chunk, left) = rest.split_at(rest.len().min(len));
        chunks.push(chunk);
        rest = left;
    }
    chunks.push(rest);
    chunks
}
