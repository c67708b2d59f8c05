//! Stored chunk to plain bytes, in whatever format it is stored.

mod gzip;
#[cfg(test)]
mod tests;
mod xz;
mod zstd;

use std::io::{self, Read};

use desync_core::Limits;
use desync_core::codec::{DecodeError, Decoder};

/// How a chunk is compressed, by its first bytes; a store may mix formats under one suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `.xz`, casync's `--compression=xz`.
    Xz,
    /// `.gz`, casync's `--compression=gzip`.
    Gzip,
    /// A zstd frame, casync's and desync's default.
    Zstd,
}

impl Format {
    /// Recognises stored bytes.
    ///
    /// Source: casync `compressor.c`, `detect_compression`; in its order.
    #[must_use]
    pub fn of(stored: &[u8]) -> Option<Self> {
        let magics: [(&[u8], Self); 3] = [
            (&[0xfd, b'7', b'z', b'X', b'Z', 0], Self::Xz),
            (&[0x1f, 0x8b], Self::Gzip),
            (&[0x28, 0xb5, 0x2f, 0xfd], Self::Zstd),
        ];
        magics.into_iter().find(|(magic, _)| stored.starts_with(magic)).map(|(_, format)| format)
    }
}

/// Decodes chunks of every [`Format`]; one for each worker thread, reused for all of its chunks.
///
/// Exactly one frame or stream and then the end, whatever the format.
pub struct HostDecoder {
    zstd: zstd::ZstdContext,
}

impl HostDecoder {
    /// Decodes zstd with windows of up to [`Limits::zstd_window_max`].
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self { zstd: zstd::ZstdContext::new(limits.zstd_window_max) }
    }
}

impl HostDecoder {
    /// Decodes one whole frame or stream into the start of `room`, straight into its place where it is zstd;
    /// gives its length.
    ///
    /// # Errors
    /// As [`Decoder::decode`] with the length of `room` as the limit; `room` is unspecified then.
    pub fn decode_into(&mut self, stored: &[u8], room: &mut [u8]) -> Result<usize, DecodeError> {
        if Format::of(stored) == Some(Format::Zstd) {
            return match self.zstd.decode_into(stored, room)? {
                0 => Err(DecodeError::Empty),
                len => Ok(len),
            };
        }
        let mut plain = Vec::new();
        self.decode(stored, room.len() as u64, &mut plain)?;
        room[..plain.len()].copy_from_slice(&plain);
        Ok(plain.len())
    }

    /// The most that a chunk of at most `len_max` bytes can decode to, as far as its frame tells: room for that
    /// is enough.
    #[must_use]
    pub fn room_for(&self, stored: &[u8], len_max: u64) -> u64 {
        self.zstd.room_for(stored, len_max).unwrap_or(len_max)
    }
}

impl Decoder for HostDecoder {
    fn decode(&mut self, stored: &[u8], len_max: u64, plain: &mut Vec<u8>) -> Result<(), DecodeError> {
        plain.clear();
        if stored.is_empty() {
            return Err(DecodeError::Empty);
        }
        match Format::of(stored).ok_or(DecodeError::UnknownFormat)? {
            Format::Xz => xz::decode(stored, len_max, plain)?,
            Format::Gzip => gzip::decode(stored, len_max, plain)?,
            Format::Zstd => self.zstd.decode(stored, len_max, plain)?,
        }
        if plain.is_empty() { Err(DecodeError::Empty) } else { Ok(()) }
    }
}

/// Why reading a stream failed.
enum StreamError {
    /// The decoder said no.
    Decoder(io::Error),
    /// More came than was wanted.
    TooLong,
}

/// Reads to the end of a stream, at most `len_max` bytes; then one more read makes sure of the end, and has
/// the decoder check its sums.
fn read_whole(mut stream: impl Read, len_max: u64, plain: &mut Vec<u8>) -> Result<(), StreamError> {
    stream.by_ref().take(len_max).read_to_end(plain).map_err(StreamError::Decoder)?;
    match stream.read(&mut [0]) {
        Ok(0) => Ok(()),
        Ok(_) => Err(StreamError::TooLong),
        Err(error) => Err(StreamError::Decoder(error)),
    }
}
