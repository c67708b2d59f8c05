//! Chunks of casync in every format, chunks of ours, and what must be refused; libzstd against `ruzstd`.

use std::io::Write;

use desync_core::DigestKind;
use desync_core::codec::ZstdDecoder;
use desync_core::codec::zstd::Frame;
use desync_test_kit::{blob, golden, prng};
use proptest::prelude::*;

use super::*;
use crate::Encoder;

/// Decodes in both ways, which must give the same.
fn decode(stored: &[u8], len_max: u64) -> Result<Vec<u8>, DecodeError> {
    let mut decoder = HostDecoder::new(&Limits::HOST);
    let mut plain = b"left over".to_vec();
    let result = decoder.decode(stored, len_max, &mut plain).map(|()| plain);
    let room = decoder.room_for(stored, len_max);
    assert!(room <= len_max);
    if len_max < 16 << 20 {
        for room in [len_max, room] {
            let mut room = vec![0xee; room as usize];
            let into = decoder.decode_into(stored, &mut room).map(|len| room[..len].to_vec());
            // A damaged frame may hold more than it says: then each names its own limit.
            let are_too_long = |one: &_, other: &_| {
                matches!((one, other), (Err(DecodeError::TooLong { .. }), Err(DecodeError::TooLong { .. })))
            };
            assert!(into == result || are_too_long(&into, &result), "{into:?} is not {result:?}");
        }
    }
    result
}

fn decode_by_core(stored: &[u8], len_max: u64) -> Result<Vec<u8>, DecodeError> {
    let mut plain = Vec::new();
    ZstdDecoder::new(&Limits::HOST).decode(stored, len_max, &mut plain).map(|()| plain)
}

/// casync's chunk in each format, from the golden stores.
fn casync_chunks() -> [(Format, Vec<u8>); 3] {
    let members = golden::members("codec/codec-stores.tar");
    [Format::Xz, Format::Gzip, Format::Zstd].map(|format| {
        let member = members.iter().find(|member| Format::of(&member.content) == Some(format));
        (format, member.unwrap().content.clone())
    })
}

/// The same content in each format.
fn in_each_format(plain: &[u8]) -> [(Format, Vec<u8>); 3] {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(plain).unwrap();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
    xz.write_all(plain).unwrap();
    let mut zstd = Vec::new();
    Encoder::new(3).unwrap().encode(plain, &mut zstd).unwrap();
    [(Format::Xz, xz.finish().unwrap()), (Format::Gzip, gzip.finish().unwrap()), (Format::Zstd, zstd)]
}

#[test]
fn reads_what_casync_wrote() {
    for (format, stored) in casync_chunks() {
        let plain = decode(&stored, 12_000).unwrap();
        assert_eq!(plain.len(), 12_000, "{format:?}");
        let id = DigestKind::Sha512_256.id_of(&plain);
        let index = golden::read("codec/codec.caibx");
        assert_eq!(id.as_bytes()[..], index[72..104], "{format:?}: the only chunk of the index");
        assert_eq!(decode(&stored, 11_999), Err(DecodeError::TooLong { limit: 11_999 }), "{format:?}");
    }
}

#[test]
fn exactly_one_frame_and_then_the_end() {
    for (format, stored) in in_each_format(b"some content, some content, some content") {
        assert_eq!(decode(&stored, 40).as_deref(), Ok(&b"some content, some content, some content"[..]));
        for behind in [&stored[..], &[0], &[0; 8]] {
            let followed = decode(&[&stored[..], behind].concat(), 1000);
            assert_eq!(followed, Err(DecodeError::TrailingBytes), "{format:?} and {behind:x?}");
        }
        for len in 6..stored.len() {
            assert_eq!(
                decode(&stored[..len], 40),
                Err(DecodeError::Damaged),
                "{format:?}: first {len} bytes"
            );
        }
    }
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0];
    let [.., (_, zstd)] = casync_chunks();
    assert_eq!(decode(&[&skippable[..], &zstd].concat(), 12_000), Err(DecodeError::UnknownFormat));
    assert_eq!(decode(&[&zstd[..], &skippable].concat(), 12_000), Err(DecodeError::TrailingBytes));
}

#[test]
fn defect_25_output_is_limited() {
    for (format, stored) in in_each_format(&vec![0; 3_000_000]) {
        assert_eq!(decode(&stored, 3_000_000).map(|plain| plain.len()), Ok(3_000_000), "{format:?}");
        for limit in [1, 131_072, 2_999_999] {
            assert_eq!(decode(&stored, limit), Err(DecodeError::TooLong { limit }), "{format:?}");
        }
    }
}

#[test]
fn nothing_is_no_chunk() {
    assert_eq!(decode(b"", 9), Err(DecodeError::Empty));
    for (format, stored) in in_each_format(b"") {
        assert_eq!(decode(&stored, 9), Err(DecodeError::Empty), "{format:?}");
    }
    assert_eq!(decode(b"plain bytes", 100), Err(DecodeError::UnknownFormat));
}

#[test]
fn xz_memory_is_limited() {
    let mut options = liblzma::stream::LzmaOptions::new_preset(0).unwrap();
    options.dict_size(512 << 20);
    let mut filters = liblzma::stream::Filters::new();
    filters.lzma2(&options);
    let mut stored = Vec::with_capacity(1000);
    let mut encoder =
        liblzma::stream::Stream::new_stream_encoder(&filters, liblzma::stream::Check::Crc64).unwrap();
    encoder.process_vec(b"small", &mut stored, liblzma::stream::Action::Finish).unwrap();
    assert!(matches!(decode(&stored, 100), Err(DecodeError::WindowTooLarge { .. })));
}

#[test]
fn zstd_windows_are_limited() {
    let stored = &casync_chunks()[2].1;
    let mut decoder = HostDecoder::new(&Limits { zstd_window_max: 8192, ..Limits::HOST });
    let refused = decoder.decode(stored, 12_000, &mut Vec::new());
    assert_eq!(refused, Err(DecodeError::WindowTooLarge { limit: 8192 }));
}

#[test]
fn a_decoder_serves_any_sequence_of_chunks() {
    let mut decoder = HostDecoder::new(&Limits::HOST);
    let mut plain = Vec::new();
    for round in 0..3 {
        for (format, stored) in casync_chunks() {
            let half = &stored[..stored.len() / 2];
            assert_eq!(
                decoder.decode(half, 12_000, &mut plain),
                Err(DecodeError::Damaged),
                "{format:?}, {round}"
            );
            assert_eq!(decoder.decode(&stored, 12_000, &mut plain), Ok(()), "{format:?}, {round}");
        }
    }
}

#[test]
fn libzstd_and_ruzstd_agree_at_every_level() {
    let blob = blob();
    for level in [-5, 1, 3, 9, 19] {
        let mut encoder = Encoder::new(level).unwrap();
        let mut stored = Vec::new();
        for chunk in
            [&blob[..70_000], &blob[500_000..800_000], &blob[1_570_000..1_720_000], &blob[3_000_000..]]
        {
            encoder.encode(chunk, &mut stored).unwrap();
            assert_eq!(decode(&stored, chunk.len() as u64).as_deref(), Ok(chunk), "level {level}");
            assert_eq!(decode_by_core(&stored, chunk.len() as u64).as_deref(), Ok(chunk), "level {level}");
        }
    }
}

#[test]
fn declared_lengths_and_checksums_are_read_as_go_desync_writes_them() {
    use ::zstd::zstd_safe::{CCtx, CParameter, compress_bound};
    let blob = &blob()[1_500_000..];
    let mut context = CCtx::create();
    context.set_parameter(CParameter::ChecksumFlag(true)).unwrap();
    for len in [1, 255, 256, 257, 300, 65_791, 65_792, 100_000] {
        let mut stored = Vec::with_capacity(compress_bound(len));
        context.compress2(&mut stored, &blob[..len]).unwrap();
        assert_eq!(Frame::parse(&stored, 1 << 20, 1 << 20).unwrap().content_len(), Some(len as u64));
        assert_eq!(decode(&stored, len as u64).as_deref(), Ok(&blob[..len]));
        assert_eq!(decode_by_core(&stored, len as u64).as_deref(), Ok(&blob[..len]));
        *stored.last_mut().unwrap() ^= 1;
        assert_eq!(decode(&stored, len as u64), Err(DecodeError::Damaged), "checksum");
        assert_eq!(decode_by_core(&stored, len as u64), Err(DecodeError::Damaged), "checksum");
    }
}

fn any_content() -> impl Strategy<Value = Vec<u8>> {
    (1..2000_usize, 1..300_usize, any::<u8>()).prop_map(|(random, period, start)| {
        let pattern = prng(period, start.into());
        let pattern: Vec<u8> = pattern.iter().cycle().take(random * 20).copied().collect();
        [prng(random, start.into()), pattern].concat()
    })
}

fn any_changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)
}

fn changed(mut stored: Vec<u8>, changes: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    for (place, value) in changes {
        let place = place.index(stored.len());
        stored[place] = *value;
    }
    stored
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn libzstd_and_ruzstd_agree_about_the_structure_of_changed_frames(
        content in any_content(),
        changes in any_changes(),
        limit in 1..50_000_u64,
    ) {
        let mut stored = Vec::new();
        Encoder::new(3).unwrap().encode(&content, &mut stored).unwrap();
        let stored = changed(stored, &changes);
        // Inside the entropy coding the two see damage differently, and may even make different bytes of it;
        // the chunk's ID tells. What is outside is judged alike.
        let structural = |verdict: Result<Vec<u8>, DecodeError>| {
            use DecodeError::{TrailingBytes, UnknownFormat, WindowTooLarge};
            verdict.err().filter(|error| matches!(error, TrailingBytes | UnknownFormat | WindowTooLarge { .. }))
        };
        prop_assert_eq!(structural(decode(&stored, limit)), structural(decode_by_core(&stored, limit)));
        prop_assert!(decode_by_core(&stored, limit).map_or(0, |plain| plain.len()) as u64 <= limit);
    }

    #[test]
    fn changed_streams_are_refused_or_within_the_limit(content in any_content(), changes in any_changes()) {
        for (format, stored) in in_each_format(&content) {
            let limit = content.len() as u64;
            if let Ok(plain) = decode(&changed(stored, &changes), limit) {
                prop_assert!(plain.len() as u64 <= limit, "{:?}", format);
            }
        }
    }
}
