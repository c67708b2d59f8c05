//! From a chunk of any form to its verified plain bytes.
//!
//! The one place on a host where stored bytes are decoded and named. Bounded by what is wanted: whatever
//! the stored bytes claim, no more than the wanted length comes out.

use core::convert::Infallible;
use std::sync::Arc;

use desync_codec::HostDecoder;
use desync_core::chunk_source::{Wanted, WantedLen};
use desync_core::codec::{DecodeError, Decoder as _};
use desync_core::format::StorageForm;
use desync_core::{Limits, VerifiedChunk};

use crate::pool::Pool;
use crate::{Chunk, StoreError};

/// Opens chunks. Keeps decoders for reuse; threads share it.
pub struct Opener {
    scratch: Pool<Scratch>,
}

/// A decoder and the buffer it decodes into.
struct Scratch {
    decoder: HostDecoder,
    plain: Vec<u8>,
}

impl Scratch {
    fn new() -> Self {
        Self { decoder: HostDecoder::new(&Limits::HOST), plain: Vec::new() }
    }
}

impl Default for Opener {
    fn default() -> Self {
        Self::new()
    }
}

impl Opener {
    /// Makes decoders when they are first needed.
    #[must_use]
    pub const fn new() -> Self {
        Self { scratch: Pool::new() }
    }

    /// The plain bytes of a chunk: those it has, or its stored bytes decoded and verified. `store` is named
    /// in errors.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] if the bytes do not decode, have another length or another name.
    pub fn open(
        &self,
        chunk: &Chunk,
        wanted: &Wanted,
        store: &str,
    ) -> Result<VerifiedChunk<Arc<[u8]>>, StoreError> {
        let invalid = |cause: &dyn core::fmt::Display| StoreError::invalid(store, &wanted.id, cause);
        let verified = match chunk.plain() {
            Some(plain) => plain.clone(),
            None => {
                let bytes = self.decode(chunk, wanted.len.max()).map_err(|error| match error {
                    DecodeError::TooLong { .. } => unexpected_size(wanted, store),
                    error => invalid(&error),
                })?;
                check_len(wanted, store, &bytes)?;
                VerifiedChunk::check(wanted.digest, wanted.id, bytes)
                    .map_err(|mismatch| StoreError { cause: mismatch.to_string(), ..invalid(&"") })?
            }
        };
        check_len(wanted, store, verified.bytes())?;
        Ok(verified)
    }

    /// The plain bytes of a chunk, not verified, `len_max` at most.
    pub(crate) fn decode(&self, chunk: &Chunk, len_max: u64) -> Result<Arc<[u8]>, DecodeError> {
        if let Some(plain) = chunk.stored_as(StorageForm::Plain) {
            return match plain.len() as u64 {
                0 => Err(DecodeError::Empty),
                len if len > len_max => Err(DecodeError::TooLong { limit: len_max }),
                _ => Ok(Arc::clone(plain)),
            };
        }
        let stored = chunk.stored_as(StorageForm::Compressed).ok_or(DecodeError::Empty)?;
        let Ok(mut scratch) = self.scratch.lend(|| Ok::<_, Infallible>(Scratch::new()));
        let Scratch { decoder, plain } = &mut *scratch;
        decoder.decode(stored, len_max, plain)?;
        Ok(Arc::from(&plain[..]))
    }
}

fn check_len(wanted: &Wanted, store: &str, plain: &[u8]) -> Result<(), StoreError> {
    if wanted.len.admits(plain.len() as u64) { Ok(()) } else { Err(unexpected_size(wanted, store)) }
}

/// Says which length was wanted and of which chunk.
pub(crate) fn unexpected_size(wanted: &Wanted, store: &str) -> StoreError {
    let expected = match wanted.len {
        WantedLen::Exactly(len) => format!("expected {len} bytes"),
        WantedLen::AtMost(len) => format!("expected at most {len} bytes"),
    };
    let cause = format!("unexpected size for chunk {}: {expected}", wanted.id);
    StoreError { cause, ..StoreError::invalid(store, &wanted.id, "") }
}
