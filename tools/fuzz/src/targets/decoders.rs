//! Decoders of stored chunks: never more than was wanted, memory by length and not by claim, and both zstd
//! decoders of one mind where both accept.

use desync_codec::HostDecoder;
use desync_core::Limits;
use desync_core::codec::{DecodeError, Decoder, ZstdDecoder, ZstdStream, stream_memory};

use crate::allocation::peak_of;

/// Small, so that exceeding it is found quickly.
const LIMITS: Limits =
    Limits { chunk_len_max: 64 << 10, index_chunks_max: 1 << 10, zstd_window_max: 64 << 10, ..Limits::HOST };

/// What a decoder may hold beyond the plain bytes: window, one block with its literals and sequences, tables.
const OVERHEAD_MAX: usize = 2 << 20;

pub(super) fn run_zstd(bytes: &[u8]) {
    let core = decode(|| ZstdDecoder::new(&LIMITS), bytes);
    let host = decode(|| HostDecoder::new(&LIMITS), bytes);
    if let (Ok(core), Ok(host)) = (core, host) {
        assert!(core == host, "two decoders, two results");
    }
}

/// The decoder for devices takes what libzstd takes, and makes the same of it. It leaves checksums to digests,
/// so of frames with one it may take more.
pub(super) fn run_stream(bytes: &[u8]) {
    let host = decode(|| HostDecoder::new(&LIMITS), bytes);
    let mut memory = vec![0; stream_memory(LIMITS.zstd_window_max as usize)];
    let mut plain = Vec::with_capacity(LIMITS.chunk_len_max as usize + 300);
    let (verdict, peak) = peak_of(|| stream(&mut memory, bytes, &mut plain));
    assert_eq!(peak, 0, "a stream allocates");
    match (verdict, host) {
        (Ok(()), Ok(host)) => assert!(plain == host, "two decoders, two results"),
        (Err(error), Ok(_)) if bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) => {
            panic!("refused what libzstd takes: {error}")
        }
        _ => {}
    }
}

fn stream(memory: &mut [u8], bytes: &[u8], plain: &mut Vec<u8>) -> Result<(), DecodeError> {
    let len_max = len_max(bytes);
    let mut stream = ZstdStream::new(memory, LIMITS.zstd_window_max);
    stream.start(len_max);
    let mut buffer = [0; 256];
    for mut piece in bytes.chunks(100) {
        loop {
            match stream.pull(&mut piece, &mut buffer)? {
                0 => break,
                len => plain.extend_from_slice(&buffer[..len]),
            }
            assert!(plain.len() as u64 <= len_max, "more than was wanted");
        }
        assert!(piece.is_empty(), "bytes are left over");
    }
    stream.finish()
}

pub(super) fn run_host(bytes: &[u8]) {
    let _ = decode(|| HostDecoder::new(&LIMITS), bytes);
}

fn decode<D: Decoder>(decoder: impl FnOnce() -> D, bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let len_max = len_max(bytes);
    let mut plain = Vec::new();
    let (result, peak) = peak_of(|| decoder().decode(bytes, len_max, &mut plain));
    assert!(peak <= OVERHEAD_MAX, "{peak} bytes held for at most {len_max}");
    result?;
    assert!(!plain.is_empty() && plain.len() as u64 <= len_max, "{} bytes, wanted {len_max}", plain.len());
    Ok(plain)
}

/// How much is wanted: ample, or less than most chunks have.
fn len_max(bytes: &[u8]) -> u64 {
    if bytes.len().is_multiple_of(5) { 600 } else { LIMITS.chunk_len_max }
}
