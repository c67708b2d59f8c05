//! Stored bytes <-> plain bytes, with libzstd contexts reused from chunk to chunk.

use desync_core::codec::{DecodeError, Decoder};

/// Compresses chunks.
pub(crate) struct Encoder(zstd::bulk::Compressor<'static>);

impl Encoder {
    pub(crate) fn new(level: i32) -> Self {
        Self(zstd::bulk::Compressor::new(level).expect("a level within bounds"))
    }

    pub(crate) fn encode(&mut self, plain: &[u8], stored: &mut Vec<u8>) {
        *stored = self.0.compress(plain).expect("enough memory");
    }
}

/// Decompresses chunks.
pub(crate) struct HostDecoder(zstd::bulk::Decompressor<'static>);

impl HostDecoder {
    pub(crate) fn new() -> Self {
        Self(zstd::bulk::Decompressor::new().expect("enough memory"))
    }
}

impl Decoder for HostDecoder {
    fn decode(&mut self, stored: &[u8], len_max: u64, plain: &mut Vec<u8>) -> Result<(), DecodeError> {
        if stored.is_empty() {
            return Err(DecodeError::Empty);
        }
        *plain = self.0.decompress(stored, len_max as usize).map_err(|_| DecodeError::Damaged)?;
        Ok(())
    }
}
