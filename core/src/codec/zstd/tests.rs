//! Frames of casync, of `ruzstd`'s own encoder and made by hand, and what is left of them when bytes change.

use alloc::vec;

use desync_test_kit::{golden, prng};
use proptest::prelude::*;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::*;

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

fn decode(stored: &[u8], len_max: u64) -> Result<Vec<u8>, DecodeError> {
    let mut plain = vec![0xaa; 3];
    ZstdDecoder::new(&Limits::HOST).decode(stored, len_max, &mut plain).map(|()| plain)
}

/// A frame with a window of 1 KiB, no declared length and these blocks: kind, size word, body.
fn frame(blocks: &[(u32, u32, &[u8])]) -> Vec<u8> {
    let mut stored = [&MAGIC[..], &[0, 0]].concat();
    for (i, (kind, size, body)) in blocks.iter().enumerate() {
        let word = size << 3 | kind << 1 | u32::from(i + 1 == blocks.len());
        stored.extend(&word.to_le_bytes()[..3]);
        stored.extend(*body);
    }
    stored
}

fn casync_frame() -> Vec<u8> {
    let chunk = |member: &golden::Member| member.content.starts_with(&MAGIC);
    golden::members("codec/codec-stores.tar").into_iter().find(chunk).unwrap().content
}

#[test]
fn reads_casyncs_chunk_in_little_memory() {
    let stored = casync_frame();
    let plain = decode(&stored, 12_000).unwrap();
    assert_eq!(plain.len(), 12_000);
    // The frame declares no length and asks for 2 MiB.
    let parsed = Frame::parse(&stored, 12_000, 12_000).unwrap();
    assert_eq!((parsed.content_len(), parsed.window_len()), (None, 12_000));
    assert_eq!(decode(&stored, 11_999), Err(DecodeError::TooLong { limit: 11_999 }));
    let small = Limits { zstd_window_max: 4096, ..Limits::HOST };
    let refused = ZstdDecoder::new(&small).decode(&stored, 12_000, &mut Vec::new());
    assert_eq!(refused, Err(DecodeError::WindowTooLarge { limit: 4096 }));
}

#[test]
fn blocks_by_hand() {
    assert_eq!(decode(&frame(&[(0, 3, b"abc")]), 3).unwrap(), b"abc");
    assert_eq!(decode(&frame(&[(0, 3, b"abc"), (1, 4, b"d")]), 7).unwrap(), b"abcdddd");
    assert_eq!(decode(&frame(&[(0, 3, b"abc"), (1, 4, b"d")]), 6), Err(DecodeError::TooLong { limit: 6 }));
    assert_eq!(decode(&frame(&[(1, 1025, b"d")]), 2000), Err(DecodeError::Damaged), "longer than the window");
    assert_eq!(decode(&frame(&[(3, 1, b"d")]), 9), Err(DecodeError::Damaged), "reserved kind");
    assert_eq!(decode(&frame(&[(0, 0, b"")]), 9), Err(DecodeError::Empty));
    assert_eq!(decode(&[], 9), Err(DecodeError::Empty));
}

#[test]
fn one_frame_and_nothing_else() {
    let stored = frame(&[(0, 3, b"abc")]);
    assert_eq!(decode(&[&stored[..], &stored].concat(), 9), Err(DecodeError::TrailingBytes));
    assert_eq!(decode(&[&stored[..], &[0]].concat(), 9), Err(DecodeError::TrailingBytes));
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 7];
    assert_eq!(decode(&[&skippable[..], &stored].concat(), 9), Err(DecodeError::UnknownFormat));
    assert_eq!(decode(&[&stored[..], &skippable].concat(), 9), Err(DecodeError::TrailingBytes));
    for len in 4..stored.len() {
        assert_eq!(decode(&stored[..len], 9), Err(DecodeError::Damaged), "first {len} bytes");
    }
    assert_eq!(decode(b"abcdefgh", 9), Err(DecodeError::UnknownFormat));
}

#[test]
fn headers() {
    let block = [0x19, 0, 0, b'a', b'b', b'c'];
    let with = |header: &[u8]| decode(&[&MAGIC[..], header, &block].concat(), 9);
    assert_eq!(with(&[0x20, 3]).unwrap(), b"abc", "single segment");
    assert_eq!(with(&[0x80, 0, 3, 0, 0, 0]).unwrap(), b"abc", "length of four bytes");
    let three_hundred = [&MAGIC[..], &[0x60, 44, 0], &[0x63, 9, 0, b'x']].concat();
    assert_eq!(decode(&three_hundred, 300).unwrap(), [b'x'; 300], "length of two bytes, from 256 on");
    assert_eq!(with(&[0x20, 4]), Err(DecodeError::Damaged), "a byte less than declared");
    assert_eq!(with(&[0x20, 2]), Err(DecodeError::Damaged), "a byte more than declared");
    assert_eq!(with(&[0x20, 10]), Err(DecodeError::TooLong { limit: 9 }));
    assert_eq!(with(&[0x01, 0, 0]).unwrap(), b"abc", "dictionary 0 is none");
    assert_eq!(with(&[0x01, 0, 7]), Err(DecodeError::Damaged), "a dictionary");
    assert_eq!(with(&[0x08, 0]), Err(DecodeError::Damaged), "the reserved bit");
    assert_eq!(with(&[0x04, 0]), Err(DecodeError::Damaged), "a checksum that is not there");
}

#[test]
fn checksum_is_checked() {
    let mut stored = frame(&[(0, 3, b"abc")]);
    stored[4] = 0x04;
    // XXH64("abc") = 44bc2cf5ad770999
    stored.extend(0xad77_0999_u32.to_le_bytes());
    assert_eq!(decode(&stored, 3).unwrap(), b"abc");
    *stored.last_mut().unwrap() ^= 1;
    assert_eq!(decode(&stored, 3), Err(DecodeError::Damaged));
}

#[test]
fn claims_that_cannot_be_true() {
    // 98047 sequences: 0xff, count less 0x7f00 in two bytes, all three codes repeated.
    let bomb = frame(&[(2, 11, &[0, 0xff, 0xff, 0xff, 0x54, 0, 0, 0, 0, 0, 1])]);
    assert_eq!(decode(&bomb, 1 << 20), Err(DecodeError::Damaged));
    // 2²⁰−1 literals from one byte.
    let literals = frame(&[(2, 5, &[0xfd, 0xff, 0xff, 7, 0])]);
    assert_eq!(decode(&literals, 1 << 27), Err(DecodeError::Damaged));
}

#[test]
fn a_decoder_is_reused_after_failure() {
    let mut decoder = ZstdDecoder::new(&Limits::HOST);
    let mut plain = Vec::new();
    let stored = casync_frame();
    let mut damaged = stored.clone();
    damaged[stored.len() / 2] ^= 0xff;
    for _ in 0..3 {
        let _ = decoder.decode(&damaged, 12_000, &mut plain);
        assert_eq!(decoder.decode(&stored, 12_000, &mut plain), Ok(()));
        assert_eq!(plain.len(), 12_000);
    }
}

fn any_content() -> impl Strategy<Value = Vec<u8>> {
    (1..3000_usize, 1..400_usize, any::<u8>(), 1..4_usize).prop_map(|(random, period, start, times)| {
        let pattern = prng(period, start.into());
        let pattern = pattern.iter().cycle().take(random * 40);
        [prng(random, start.into()), pattern.copied().collect()].concat().repeat(times)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_content_round_trips(content in any_content()) {
        let stored = compress_to_vec(&content[..], CompressionLevel::Fastest);
        let len = content.len() as u64;
        prop_assert_eq!(decode(&stored, len), Ok(content));
        prop_assert_eq!(decode(&stored, len - 1), Err(DecodeError::TooLong { limit: len - 1 }));
    }

    #[test]
    fn changed_frames_never_panic_nor_exceed_the_limit(
        content in any_content(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        len_max in 1..200_000_u64,
    ) {
        let mut stored = compress_to_vec(&content[..], CompressionLevel::Fastest);
        for (place, value) in changes {
            let place = place.index(stored.len());
            stored[place] = value;
        }
        if let Ok(plain) = decode(&stored, len_max) {
            prop_assert!(!plain.is_empty() && plain.len() as u64 <= len_max);
        }
    }

    #[test]
    fn any_bytes_after_the_magic_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = decode(&[&MAGIC[..], &bytes].concat(), 1000);
        let _ = decode(&frame(&[(2, bytes.len() as u32, &bytes)]), 1000);
    }
}

/// Decodes with pieces of `piece` stored bytes and a buffer for `room` plain ones.
fn decode_in_pieces(stored: &[u8], len_max: u64, piece: usize, room: usize) -> Result<Vec<u8>, DecodeError> {
    let mut memory = vec![0; stream_memory(1 << 20)];
    let mut stream = ZstdStream::new(&mut memory, u64::MAX);
    let (mut plain, mut buffer) = (Vec::new(), vec![0; room]);
    stream.start(len_max);
    for mut stored in stored.chunks(piece) {
        loop {
            match stream.pull(&mut stored, &mut buffer)? {
                0 => break,
                len => plain.extend_from_slice(&buffer[..len]),
            }
        }
        assert!(stored.is_empty());
    }
    stream.finish().map(|()| plain)
}

#[test]
fn streams_refuse_what_whole_frames_are_refused_for() {
    let mut summed = frame(&[(0, 3, b"abc")]);
    summed[4] = 0x04;
    summed.extend(0xad77_0999_u32.to_le_bytes());
    assert_eq!(decode_in_pieces(&summed, 3, 1, 1).unwrap(), b"abc");
    assert_eq!(decode_in_pieces(&summed[..summed.len() - 1], 3, 1, 1), Err(DecodeError::Damaged));

    let stored = frame(&[(0, 3, b"abc"), (1, 4, b"d")]);
    for (piece, room) in [(1, 1), (2, 3), (100, 100)] {
        assert_eq!(decode_in_pieces(&stored, 7, piece, room).unwrap(), b"abcdddd");
        assert_eq!(decode_in_pieces(&stored, 6, piece, room), Err(DecodeError::TooLong { limit: 6 }));
        for len in 1..stored.len() {
            let cut = decode_in_pieces(&stored[..len], 7, piece, room);
            assert_eq!(cut, Err(DecodeError::Damaged), "first {len} bytes");
        }
        let twice = [&stored[..], &stored].concat();
        assert_eq!(decode_in_pieces(&twice, 7, piece, room), Err(DecodeError::TrailingBytes));
    }
    assert_eq!(decode_in_pieces(&[], 7, 1, 1), Err(DecodeError::Empty));
    assert_eq!(decode_in_pieces(b"abcdefgh", 7, 1, 1), Err(DecodeError::UnknownFormat));
    assert_eq!(decode_in_pieces(&frame(&[(0, 0, b"")]), 9, 1, 1), Err(DecodeError::Empty));
}

/// RFC 8878 3.1.1.3.2.1: they "must be all zeroes". libzstd refuses them, too; `ruzstd` does not look at them.
#[test]
fn streams_refuse_reserved_bits() {
    for reserved in 0..4 {
        // Literals "abc"; one sequence, whose three codes are given once each: 3 literals, then 34 bytes from 1 back.
        let block = [3 << 3, b'a', b'b', b'c', 1, 0b0101_0100 | reserved, 3, 2, 31, 0b100];
        let plain = [&b"ab"[..], &[b'c'; 35]].concat();
        let stored = frame(&[(2, block.len() as u32, &block)]);
        let wanted = if reserved == 0 { Ok(plain.clone()) } else { Err(DecodeError::Damaged) };
        assert_eq!(decode_in_pieces(&stored, 37, 1, 1), wanted, "{reserved}");
        assert_eq!(decode(&stored, 37).unwrap(), plain);
    }
}

#[test]
fn streams_keep_the_window_limit() {
    let stored = casync_frame();
    let mut memory = vec![0; stream_memory(4096)];
    let mut stream = ZstdStream::new(&mut memory, u64::MAX);
    stream.start(12_000);
    let refused = stream.pull(&mut &stored[..], &mut [0; 100]);
    assert_eq!(refused, Err(DecodeError::WindowTooLarge { limit: 4096 }));
    assert_eq!(stream.pull(&mut &stored[..], &mut [0; 100]), Err(DecodeError::Damaged), "it stays failed");
    assert_eq!(stream.finish(), Err(DecodeError::Damaged));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_split_gives_the_same(
        content in any_content(),
        change in proptest::option::of((any::<prop::sample::Index>(), any::<u8>())),
        (piece, room) in (1..5000_usize, 1..5000_usize),
        slack in 0..2_u64,
    ) {
        // A stream leaves a frame's checksum to the chunk's digest, so these have none.
        let mut stored = compress_to_vec(&content[..], CompressionLevel::Fastest);
        stored.truncate(stored.len() - 4);
        stored[4] &= !4;
        if let Some((place, value)) = change {
            let place = place.index(stored.len());
            stored[place] = value;
        }
        let len_max = content.len() as u64 - slack;
        let whole = decode(&stored, len_max);
        let mut streamed = decode_in_pieces(&stored, len_max, piece, room);
        if let (Ok(_), Err(_), Some((place, _))) = (&whole, &streamed, change) {
            // The only thing that streams alone look at (`streams_refuse_reserved_bits`).
            let place = place.index(stored.len());
            stored[place] &= !3;
            streamed = decode_in_pieces(&stored, len_max, piece, room);
        }
        prop_assert_eq!(whole.clone().ok(), streamed.ok(), "{:?}", whole);
    }
}
