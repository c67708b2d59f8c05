//! Every way to cut against the golden vectors and against the oracle.

use alloc::vec::Vec;

use desync_test_kit::{Vector, prng, vectors};
use proptest::prelude::*;
use sha2::Digest as _;

use super::reference::chunk_lengths;
use super::*;
use crate::format::{FeatureFlags, Index, IndexHeader, IndexItem};
use crate::{ChunkId, DigestKind, Limits};

fn sizes(min: u64, avg: u64, max: u64) -> ChunkSizes {
    ChunkSizes::new(min, avg, max, &Limits::HOST).unwrap()
}

fn sizes_of(vector: &Vector) -> ChunkSizes {
    sizes(vector.min, vector.avg, vector.max)
}

fn by_cutter(blob: &[u8], cutter: &Cutter) -> Vec<usize> {
    let mut lengths = Vec::new();
    let mut rest = blob;
    while let Some(len) = cutter.first_cut(rest, true) {
        lengths.push(len);
        rest = &rest[len..];
    }
    lengths
}

/// Pushes the blob in pieces whose lengths go round in `pieces`.
fn by_chunker(blob: &[u8], mut chunker: Chunker, pieces: &[usize]) -> Vec<usize> {
    let mut lengths = Vec::new();
    let mut len = 0;
    let mut rest = blob;
    for &piece in pieces.iter().cycle() {
        let (mut piece, behind) = rest.split_at(piece.min(rest.len()));
        while let Some(taken) = chunker.push(piece) {
            lengths.push(len + taken);
            len = 0;
            piece = &piece[taken..];
        }
        len += piece.len();
        rest = behind;
        if rest.is_empty() {
            break;
        }
    }
    let last = chunker.finish();
    assert_eq!(last.unwrap_or(0), len as u64);
    lengths.extend(last.map(|last| usize::try_from(last).unwrap()));
    lengths
}

/// Ascending candidates as the chooser asks for them.
fn first_of(candidates: &mut impl Iterator<Item = u64>) -> impl FnMut(u64) -> Option<u64> {
    move |earliest| candidates.find(|candidate| *candidate >= earliest)
}

/// Scans in parts, as threads would, and lets the chooser see each part's candidates in turn.
fn by_candidates(blob: &[u8], sizes: &ChunkSizes, rule: CutRule, parts: &[usize]) -> Vec<usize> {
    let mut chooser = CutChooser::new(sizes, rule);
    let mut lengths = Vec::new();
    let mut start = 0;
    for &part in parts.iter().cycle() {
        let end = blob.len().min(start + part);
        let from = start.saturating_sub(WINDOW_LEN - 1);
        let mut found = Vec::new();
        if chooser.needs_candidates() {
            let discriminator = sizes.discriminator(rule);
            Kernel::SCALAR
                .candidates(&blob[from..end], discriminator, &mut |p| found.push((from + p) as u64));
        }
        let at_end = end == blob.len();
        let mut candidates = found.into_iter();
        let mut first_from = first_of(&mut candidates);
        while let Some(chunk) = chooser.next(&mut first_from, end as u64, at_end) {
            lengths.push(usize::try_from(chunk.end - chunk.start).unwrap());
        }
        drop(first_from);
        assert_eq!(candidates.next(), None, "left behind");
        if at_end {
            break;
        }
        start = end;
    }
    lengths
}

/// The index that casync writes.
fn index_bytes(sizes: &ChunkSizes, digest: DigestKind, items: Vec<IndexItem>) -> Vec<u8> {
    let header = IndexHeader { flags: FeatureFlags::casync_blob(digest), sizes: *sizes };
    Index { header, items }.encode_to_vec().unwrap()
}

/// The chunks of a blob, named.
fn named(blob: &[u8], lengths: &[usize], digest: DigestKind) -> Vec<IndexItem> {
    let mut end = 0;
    let name = |&len: &usize| {
        let bytes = &blob[end..end + len];
        end += len;
        IndexItem { end: end as u64, id: digest.id_of(bytes) }
    };
    lengths.iter().map(name).collect()
}

#[test]
fn all_vectors_of_casync() {
    for vector in &vectors().vectors {
        let (name, sizes, blob) = (&vector.name, sizes_of(vector), vectors().input(&vector.input));
        if let Some(d) = vector.discriminator {
            assert_eq!(sizes.discriminator(CutRule::Casync).get(), d, "{name}");
        }
        let lengths = by_cutter(&blob, &Cutter::new(&sizes, CutRule::Casync, Kernel::SCALAR));
        assert_eq!(lengths.len(), vector.chunk_count, "{name}");
        assert!(lengths.starts_with(&vector.lengths_first), "{name}");
        // The last chunk is not cut: the data ends.
        let cut = lengths.split_last().map_or(&[][..], |(_, cut)| cut);
        let at_min = cut.iter().filter(|&&len| len as u64 == vector.min).count();
        assert_eq!(at_min, vector.count_cut_at_min, "{name}");
        for (digest, first_ids, index_digest) in [
            (DigestKind::Sha512_256, &vector.ids_sha512_256_first, &vector.caibx_sha256_with_sha512_256),
            (DigestKind::Sha256, &vector.ids_sha256_first, &vector.caibx_sha256_with_sha256),
        ] {
            let chunks = named(&blob, &lengths, digest);
            for (chunk, expected) in chunks.iter().zip(first_ids) {
                assert_eq!(chunk.id.to_hex(), **expected, "{name}");
            }
            let index = index_bytes(&sizes, digest, chunks);
            let found = ChunkId(sha2::Sha256::digest(index).into());
            assert_eq!(found.to_hex(), **index_digest, "{name}: the whole index under {digest}");
        }
        assert_eq!(by_candidates(&blob, &sizes, CutRule::Casync, &[1 << 20]), lengths, "{name}");
        let chunker = Chunker::new(&sizes, CutRule::Casync, Kernel::SCALAR);
        assert_eq!(by_chunker(&blob, chunker, &[4096, 60_001]), lengths, "{name}");
    }
}

#[test]
fn all_vectors_of_desync() {
    let mut differing = 0;
    for vector in &vectors().vectors {
        let Some(same) = vector.desync_same else { continue };
        let (name, blob, sizes) = (&vector.name, vectors().input(&vector.input), sizes_of(vector));
        let lengths = by_cutter(&blob, &Cutter::new(&sizes, CutRule::Desync, Kernel::SCALAR));
        let (count, first) = match (&vector.desync_chunk_count, &vector.desync_lengths_first) {
            (Some(count), Some(first)) => (*count, first),
            _ => (vector.chunk_count, &vector.lengths_first),
        };
        assert_eq!(lengths.len(), count, "{name}");
        assert!(lengths.starts_with(first), "{name}");
        assert_eq!(by_candidates(&blob, &sizes, CutRule::Desync, &[77_777]), lengths, "{name}");
        let chunker = Chunker::new(&sizes, CutRule::Desync, Kernel::SCALAR);
        assert_eq!(by_chunker(&blob, chunker, &[8192, 1]), lengths, "{name}");
        differing += u32::from(!same);
    }
    assert_eq!(differing, 3);
}

#[test]
fn the_oracle_agrees_with_casync() {
    for vector in
        vectors().vectors.iter().filter(|vector| ["prng10k", "one", "empty"].contains(&&*vector.input))
    {
        let lengths = chunk_lengths(&vectors().input(&vector.input), &sizes_of(vector), CutRule::Casync);
        assert_eq!(lengths.len(), vector.chunk_count, "{}", vector.name);
        assert!(lengths.starts_with(&vector.lengths_first), "{}", vector.name);
    }
    let blob = &vectors().input("mincut");
    assert_eq!(chunk_lengths(blob, &ChunkSizes::DEFAULT, CutRule::Casync)[0], 16_384);
    assert_ne!(chunk_lengths(blob, &ChunkSizes::DEFAULT, CutRule::Desync)[0], 16_384);
}

#[test]
fn discriminators() {
    for sample in &vectors().discriminators {
        let sizes = sizes(sample.min, sample.avg, sample.max);
        assert_eq!(sizes.discriminator(CutRule::Casync).get(), sample.discriminator, "{sample:?}");
    }
    // Where Go desync's value is undefined ours is not: beyond 32 bits, negative, zero.
    assert_eq!(sizes(1, 9_324_556, 100 << 20).discriminator(CutRule::Desync).get(), 100 << 20);
    assert_eq!(sizes(1, 16 << 20, 64 << 20).discriminator(CutRule::Desync).get(), 64 << 20);
    assert_eq!(sizes(1, 1, 64).discriminator(CutRule::Desync).get(), 1);
    assert_eq!(sizes(1000, 1024, 4096).discriminator(CutRule::Desync).get(), 768);
}

#[test]
fn sizes_for_making() {
    let check = |min, avg, max| sizes(min, avg, max).check_for_making();
    assert_eq!(check(48, 48, 49), Ok(()));
    assert_eq!(check(40, 40, 40), Ok(()));
    assert_eq!(check(1, 1, 1), Ok(()));
    assert_eq!(check(47, 64, 256), Err(SizesError::MinBelowWindow { min: 47 }));
    assert_eq!(check(8, 16, 47), Err(SizesError::BelowWindow { max: 47 }));
}

#[test]
fn chooser_keeps_a_candidate_for_a_later_chunk() {
    let mut chooser = CutChooser::new(&sizes(100, 200, 1000), CutRule::Casync);
    let none = &mut |_| None;
    let mut early = [50, 99].into_iter();
    assert_eq!(
        chooser.next(&mut first_of(&mut early), 900, false),
        None,
        "50 and 99 are too early to be cuts"
    );
    let mut candidates = [2500, 2599, 2600].into_iter();
    let mut candidates = first_of(&mut candidates);
    assert_eq!(chooser.next(&mut candidates, 3000, false), Some(0..1000));
    assert_eq!(chooser.next(none, 3000, false), Some(1000..2000));
    assert_eq!(chooser.start(), 2000);
    assert_eq!(chooser.next(none, 3000, false), Some(2000..2500));
    assert_eq!(chooser.next(&mut candidates, 3000, false), Some(2500..2600), "100 is enough, 99 is not");
    assert_eq!(chooser.next(&mut candidates, 3000, false), None);
    assert_eq!(chooser.next(&mut candidates, 3000, true), Some(2600..3000));
    assert_eq!(chooser.next(&mut candidates, 3000, true), None);
}

#[test]
fn chooser_strides_over_holes_of_any_length() {
    let mut chooser = CutChooser::new(&sizes(16 << 20, 64 << 20, 128 << 20), CutRule::Casync);
    let len: u64 = 1 << 50;
    let none = &mut |_| None;
    let chunks =
        core::iter::from_fn(|| chooser.next(none, len, true)).inspect(|chunk| assert!(!chunk.is_empty()));
    assert_eq!(chunks.count() as u64, len >> 27);
}

#[test]
fn cutter_asks_for_more() {
    let cutter = Cutter::new(&sizes(64, 256, 1024), CutRule::Casync, Kernel::SCALAR);
    let blob = prng(1024, 0);
    let cut = cutter.first_cut(&blob, false).unwrap();
    assert_eq!(cutter.first_cut(&blob[..cut], false), Some(cut));
    assert_eq!(cutter.first_cut(&blob[..cut - 1], false), None);
    assert_eq!(cutter.first_cut(&blob[..cut - 1], true), Some(cut - 1));
    assert_eq!(cutter.first_cut(&[], true), None);
}

/// Sizes of all kinds: around the window, with and without room, fixed.
fn any_sizes() -> impl Strategy<Value = ChunkSizes> {
    let ordered = (1..120_u64, 0..200_u64, 0..600_u64)
        .prop_map(|(min, more, most)| (min, min + more, min + more + most));
    let tight =
        (40..56_u64, 0..3_u64, 0..3_u64).prop_map(|(min, more, most)| (min, min + more, min + more + most));
    let fixed = (1..300_u64).prop_map(|len| (len, len, len));
    prop_oneof![4 => ordered, 2 => tight, 1 => fixed].prop_map(|(min, avg, max)| sizes(min, avg, max))
}

/// Random bytes, runs of zeros and repeats, of lengths around everything that matters.
fn any_blob() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        (0..700_usize, any::<u16>()).prop_map(|(len, start)| prng(len, start.into())),
        (0..700_usize).prop_map(|len| alloc::vec![0; len]),
        (1..60_usize, 1..12_usize).prop_map(|(len, times)| prng(len, 9).repeat(times)),
        (46..50_usize).prop_map(|len| alloc::vec![0xff; len]),
    ];
    proptest::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn every_way_cuts_like_the_oracle(
        sizes in any_sizes(),
        rule in prop_oneof![Just(CutRule::Casync), Just(CutRule::Desync)],
        blob in any_blob(),
        pieces in proptest::collection::vec(prop_oneof![1..4_usize, 40..60_usize, 1..2000_usize], 1..6),
    ) {
        let expected = chunk_lengths(&blob, &sizes, rule);
        for kernel in [Kernel::SCALAR, Kernel::REFERENCE] {
            prop_assert_eq!(&by_cutter(&blob, &Cutter::new(&sizes, rule, kernel)), &expected);
            prop_assert_eq!(&by_chunker(&blob, Chunker::new(&sizes, rule, kernel), &pieces), &expected);
        }
        prop_assert_eq!(&by_candidates(&blob, &sizes, rule, &pieces), &expected);
    }
}
