//! Every set of kernels that this machine can run against the core's oracles: candidates and digests.
//!
//! Inputs are short so that they are tried often; the head says how often the rest is repeated, which reaches
//! the windows of the wide scans, and how it is cut into chunks that share the lanes.

use std::num::NonZeroU32;

use desync_core::chunking::{Discriminator, Kernel};
use desync_core::{ChunkId, DigestKind};
use desync_kernels::Kernels;

pub(super) fn run(bytes: &[u8]) {
    let Some((&[repeat, d_low, d_high, chunk_len], part)) = bytes.split_first_chunk() else { return };
    let bytes = part.repeat(usize::from(repeat) + 1);
    let d = Discriminator::new(NonZeroU32::MIN.saturating_add(u16::from_le_bytes([d_low, d_high]).into()));
    let chunks: Vec<&[u8]> = chunks_of(&bytes, usize::from(chunk_len));
    scans(&bytes, d);
    for kind in [DigestKind::Sha512_256, DigestKind::Sha256] {
        let wanted: Vec<ChunkId> = chunks.iter().map(|chunk| kind.id_of(chunk)).collect();
        for (level, kernels) in Kernels::available() {
            assert_eq!(kernels.hash.ids_of(kind, &chunks), wanted, "{kind} by {level}");
        }
    }
}

fn scans(bytes: &[u8], d: Discriminator) {
    let positions = |kernel: Kernel| {
        let mut positions = Vec::new();
        kernel.candidates(bytes, d, &mut |position| positions.push(position));
        positions
    };
    let wanted = positions(Kernel::REFERENCE);
    for (level, kernels) in Kernels::available() {
        assert_eq!(positions(kernels.scan), wanted, "candidates by {level}");
        assert_eq!(kernels.scan.first_candidate(bytes, d), wanted.first().copied(), "the first by {level}");
    }
}

/// Chunks of `first_len` bytes, one more, two more, until nothing is left: the last may be short or empty.
fn chunks_of(bytes: &[u8], first_len: usize) -> Vec<&[u8]> {
    let mut chunks = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (chunk, left) = rest.split_at(rest.len().min(first_len + chunks.len()));
        chunks.push(chunk);
        rest = left;
    }
    chunks.push(rest);
    chunks
}
