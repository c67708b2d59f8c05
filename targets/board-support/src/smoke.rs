//! The smoke case: a chunk that casync made is decoded, named and cut on the device.
//!
//! What must come out was computed on the host when this was built, without the code paths under test where
//! there are two: the plain bytes came from casync, the cuts from the core's slow reference.

use core::fmt;

use alloc::vec::Vec;

use desync_core::chunking::{ChunkSizes, Chunker, CutRule, Kernel, SizesError};
use desync_core::codec::{DecodeError, Decoder as _, ZstdDecoder, ZstdStream, stream_memory};
use desync_core::{DigestKind, Limits, Mismatch, VerifiedChunk};

mod expected {
    include!(concat!(env!("OUT_DIR"), "/expected.rs"));
}

/// Bytes pushed at a time, as a small device reads them.
const PIECE_LEN: usize = 100;

/// What a device of this size allows.
const LIMITS: Limits =
    Limits { chunk_len_max: 64 << 10, index_chunks_max: 1 << 10, zstd_window_max: 64 << 10, ..Limits::HOST };

/// What went wrong.
#[derive(Debug, defmt::Format)]
pub(crate) enum Failure {
    /// The expected name is not one.
    Name,
    /// The chunk does not decode.
    Decode(DecodeError),
    /// It decodes to other bytes.
    Content(Mismatch),
    /// The updater's decoder makes other bytes of it than the one for whole chunks.
    Stream,
    /// It is cut elsewhere: the first cut that differs, counted from 0.
    Cut(usize),
    /// The sizes are refused.
    Sizes(SizesError),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("the expected name is not a chunk id"),
            Self::Decode(error) => error.fmt(f),
            Self::Content(error) => error.fmt(f),
            Self::Stream => f.write_str("the two decoders differ"),
            Self::Cut(position) => write!(f, "cut {position} differs from the host's"),
            Self::Sizes(error) => error.fmt(f),
        }
    }
}

/// Decodes both ways, names both ways, cuts.
pub(crate) fn run() -> Result<(), Failure> {
    let mut plain = Vec::new();
    let mut decoder = ZstdDecoder::new(&LIMITS);
    decoder.decode(expected::STORED, expected::PLAIN_LEN, &mut plain).map_err(Failure::Decode)?;
    defmt::info!("decoded {} bytes to {}", expected::STORED.len(), plain.len());
    stream(&plain)?;
    for (digest, name) in
        [(DigestKind::Sha512_256, expected::SHA512_256), (DigestKind::Sha256, expected::SHA256)]
    {
        let id = name.parse().map_err(|_| Failure::Name)?;
        let chunk = VerifiedChunk::check(digest, id, &plain).map_err(Failure::Content)?;
        defmt::info!("{} names it {}", digest, chunk.id());
    }
    cut(&plain)
}

/// Decodes as the updater does, in counted memory and small pieces, and compares.
fn stream(plain: &[u8]) -> Result<(), Failure> {
    let memory_len = stream_memory(plain.len());
    let mut memory = alloc::vec![0; memory_len];
    let mut decoder = ZstdStream::new(&mut memory, LIMITS.zstd_window_max);
    decoder.start(plain.len() as u64);
    let (mut rest, mut piece) = (plain, [0; PIECE_LEN]);
    for mut stored in expected::STORED.chunks(PIECE_LEN) {
        loop {
            let len = decoder.pull(&mut stored, &mut piece).map_err(Failure::Decode)?;
            if len == 0 {
                break;
            }
            rest = rest.strip_prefix(&piece[..len]).ok_or(Failure::Stream)?;
        }
    }
    decoder.finish().map_err(Failure::Decode)?;
    defmt::info!("decoded in pieces, in {} bytes of memory", memory_len);
    rest.is_empty().then_some(()).ok_or(Failure::Stream)
}

/// Cuts in small pieces and compares every length.
fn cut(plain: &[u8]) -> Result<(), Failure> {
    let [min, avg, max] = expected::SIZES;
    let sizes = ChunkSizes::new(min, avg, max, &LIMITS).map_err(Failure::Sizes)?;
    let mut chunker = Chunker::new(&sizes, CutRule::Casync, Kernel::SCALAR);
    let mut wanted = expected::CUTS.iter().enumerate();
    let mut compare = |len: usize| match wanted.next() {
        Some((_, wanted)) if *wanted == len => Ok(()),
        Some((position, _)) => Err(Failure::Cut(position)),
        None => Err(Failure::Cut(expected::CUTS.len())),
    };
    let mut len = 0;
    for mut piece in plain.chunks(PIECE_LEN) {
        while let Some(taken) = chunker.push(piece) {
            compare(len + taken)?;
            len = 0;
            piece = &piece[taken..];
        }
        len += piece.len();
    }
    if chunker.finish().is_some() {
        compare(len)?;
    }
    defmt::info!("cut into {} chunks", expected::CUTS.len());
    wanted.next().map_or(Ok(()), |(position, _)| Err(Failure::Cut(position)))
}
