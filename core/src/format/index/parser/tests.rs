//! The index parser on casync's indexes, in any split, cut short and damaged.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::chunking::ChunkSizes;
use crate::digest::{ChunkId, DigestKind};
use crate::format::flags::FeatureFlags;
use crate::format::index::{Index, TailField};

const LIMITS: Limits = Limits::HOST;

fn sample(lens: &[u64]) -> Index {
    let header =
        IndexHeader { flags: FeatureFlags::desync_blob(DigestKind::Sha256), sizes: ChunkSizes::DEFAULT };
    let mut end = 0;
    let items = lens
        .iter()
        .map(|len| {
            end += len;
            IndexItem { end, id: DigestKind::Sha256.id_of(&end.to_le_bytes()) }
        })
        .collect();
    Index { header, items }
}

/// Feeds the pieces one by one and ends the input.
fn parse_pieces<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Result<Index, IndexError> {
    let mut parser = IndexParser::new(LIMITS, Strictness::Strict);
    let mut header = None;
    let mut items = Vec::new();
    for mut piece in pieces {
        while let Some(event) = parser.next(&mut piece)? {
            match event {
                IndexEvent::Header(found) => header = Some(found),
                IndexEvent::Chunk(chunk) => items.push(IndexItem { end: chunk.end, id: chunk.id }),
            }
        }
        assert!(piece.is_empty(), "None means that the input is used up");
    }
    parser.finish()?;
    assert_eq!(parser.chunks(), items.len() as u64);
    Ok(Index { header: header.expect("finish succeeds only after a header"), items })
}

proptest! {
    #[test]
    fn any_split_gives_the_same(
        lens in proptest::collection::vec(1..=262_144_u64, 0..20),
        piece_len in 1..200_usize,
        damage in proptest::option::of((any::<prop::sample::Index>(), 1..=255_u8)),
    ) {
        let mut bytes = sample(&lens).encode_to_vec().unwrap();
        if let Some((place, flip)) = damage {
            let place = place.index(bytes.len());
            bytes[place] ^= flip;
        }
        let whole = Index::parse(&bytes, &LIMITS, Strictness::Strict);
        prop_assert_eq!(parse_pieces(bytes.chunks(piece_len)), whole.clone());
        match whole {
            // Damage within an ID or a flag may still be an index, but never the same one.
            Ok(index) => prop_assert_eq!(index.encode_to_vec().unwrap(), bytes),
            Err(_) => prop_assert!(damage.is_some()),
        }
    }
}

#[test]
fn truncation_anywhere_is_an_error() {
    let bytes = sample(&[5, 262_144, 1]).encode_to_vec().unwrap();
    for len in 0..bytes.len() {
        let error = parse_pieces(core::iter::once(&bytes[..len])).unwrap_err();
        let chunks = (len as u64).saturating_sub(64) / 40;
        assert_eq!(error, IndexError::Truncated { offset: len as u64, chunks });
    }
    assert!(parse_pieces(core::iter::once(&bytes[..])).is_ok());
}

#[test]
fn bytes_after_the_tail_are_an_error() {
    for extra in [1, 39, 40, 104] {
        let mut bytes = sample(&[7, 8]).encode_to_vec().unwrap();
        let offset = bytes.len() as u64;
        bytes.resize(bytes.len() + extra, 0);
        for piece_len in [1, 40, bytes.len()] {
            let error = parse_pieces(bytes.chunks(piece_len)).unwrap_err();
            assert_eq!(error, IndexError::TrailingBytes { offset });
        }
    }
}

/// An index whose items end at `ends`, whatever that means.
fn with_ends(ends: &[u64]) -> Vec<u8> {
    let mut index = sample(&[1; 8]);
    index.items.truncate(ends.len());
    let mut bytes = index.encode_to_vec().unwrap();
    for (number, end) in ends.iter().enumerate() {
        let place = HEADER_LEN + number * ITEM_LEN;
        bytes[place..place + 8].copy_from_slice(&end.to_le_bytes());
    }
    bytes
}

#[test]
fn hostile_lengths_are_refused_by_chunk() {
    let parse = |ends: &[u64]| Index::parse(&with_ends(ends), &LIMITS, Strictness::Strict).unwrap_err();
    let max = 262_144;
    let too_large = |chunk, len| IndexError::ChunkTooLarge { chunk, offset: 64 + 40 * chunk, len, max };
    assert_eq!(parse(&[1 << 63]), too_large(0, 1 << 63));
    assert_eq!(parse(&[u64::MAX]), too_large(0, u64::MAX));
    assert_eq!(parse(&[10, 10 + max + 1]), too_large(1, max + 1));
    let not_increasing = |start, end| IndexError::NotIncreasing { chunk: 1, offset: 104, start, end };
    assert_eq!(parse(&[10, 10]), not_increasing(10, 10));
    assert_eq!(parse(&[10, 9]), not_increasing(10, 9));
    // 2⁶⁴ wraps to 0, which only the tail may be.
    assert!(matches!(parse(&[10, 0]), IndexError::Tail { chunks: 1, field: TailField::Fill, .. }));
}

#[test]
fn an_error_stays() {
    let bytes = with_ends(&[10, 9]);
    let mut parser = IndexParser::new(LIMITS, Strictness::Strict);
    let mut input = &bytes[..];
    let first = loop {
        match parser.next(&mut input) {
            Ok(event) => assert!(event.is_some()),
            Err(error) => break error,
        }
    };
    assert_eq!(parser.next(&mut input), Err(first));
    assert_eq!(parser.finish(), Err(first));
}

#[test]
fn too_many_chunks_for_the_limit() {
    let bytes = sample(&[1, 1, 1]).encode_to_vec().unwrap();
    let limits = |index_chunks_max| Limits { index_chunks_max, ..LIMITS };
    assert!(Index::parse(&bytes, &limits(3), Strictness::Strict).is_ok());
    let error = Index::parse(&bytes, &limits(2), Strictness::Strict).unwrap_err();
    assert_eq!(error, IndexError::TooManyChunks { limit: 2 });
}

#[test]
fn encoder_refuses_what_no_reader_takes() {
    let item = |end| IndexItem { end, id: ChunkId([0; 32]) };
    let index = |ends: &[u64]| Index { items: ends.iter().map(|end| item(*end)).collect(), ..sample(&[]) };
    let refused = |ends: &[u64]| index(ends).encode_to_vec().unwrap_err();
    assert!(matches!(refused(&[0]), IndexError::NotIncreasing { chunk: 0, .. }));
    assert!(matches!(refused(&[5, 5]), IndexError::NotIncreasing { chunk: 1, .. }));
    assert!(matches!(refused(&[5, 4]), IndexError::NotIncreasing { chunk: 1, .. }));
    assert!(matches!(refused(&[262_145]), IndexError::ChunkTooLarge { len: 262_145, .. }));
}
