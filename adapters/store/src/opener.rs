//! From a chunk of any form to its verified plain bytes.
//!
//! The one place on a host where stored bytes are decoded and named. Bounded by what is wanted: whatever
//! the stored bytes claim, no more than the wanted length comes out.

use core::convert::Infallible;
use std::sync::Arc;

use desync_codec::{CipherError, HostDecoder};
use desync_core::chunk_source::{Wanted, WantedLen};
use desync_core::codec::{DecodeError, Decoder as _};
use desync_core::digest::HashKernel;
use desync_core::format::StorageForm;
use desync_core::{DigestKind, Limits, Mismatch, VerifiedChunk};

use crate::pool::Pool;
use crate::{Chunk, StoreError};

/// Why stored bytes do not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// They cannot be decrypted.
    #[error(transparent)]
    Cipher(#[from] CipherError),
    /// They cannot be decoded.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// Opens chunks. Keeps decoders for reuse; threads share it.
pub struct Opener {
    scratch: Pool<Scratch>,
}

/// A decoder and the buffer it decodes into.
struct Scratch {
    decoder: HostDecoder,
    plain: Vec<u8>,
}

/// A chunk on its way to being open.
enum HalfOpen {
    /// Bytes to be verified.
    Decoded(Arc<[u8]>),
    /// It was verified before, or is of no use.
    Done(Result<VerifiedChunk<Arc<[u8]>>, StoreError>),
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
        match self.half_open(chunk, wanted, store) {
            HalfOpen::Done(result) => result,
            HalfOpen::Decoded(bytes) => VerifiedChunk::check(wanted.digest, wanted.id, bytes)
                .map_err(|mismatch| other_bytes(&mismatch, store)),
        }
    }

    /// Many chunks opened at once, hashed side by side: for each what [`Opener::open`] gives, in their order.
    /// Their plain bytes are in memory together.
    pub fn open_many(
        &self,
        hash: HashKernel,
        digest: DigestKind,
        chunks: &[(Chunk, Wanted)],
        store: &str,
    ) -> Vec<Result<VerifiedChunk<Arc<[u8]>>, StoreError>> {
        let half_open = chunks.iter().map(|(chunk, wanted)| self.half_open(chunk, wanted, store));
        let half_open: Vec<_> = half_open.collect();
        let decoded = chunks.iter().zip(&half_open).filter_map(|((_, wanted), half_open)| match half_open {
            HalfOpen::Decoded(bytes) => Some((wanted.id, Arc::clone(bytes))),
            HalfOpen::Done(_) => None,
        });
        let mut checked = VerifiedChunk::check_many(hash, digest, decoded).into_iter();
        let open = half_open.into_iter().map(|half_open| match half_open {
            HalfOpen::Done(result) => result,
            HalfOpen::Decoded(_) => {
                let checked = checked.next().expect("each chunk that decodes is checked");
                checked.map_err(|mismatch| other_bytes(&mismatch, store))
            }
        });
        open.collect()
    }

    fn half_open(&self, chunk: &Chunk, wanted: &Wanted, store: &str) -> HalfOpen {
        if let Some(plain) = chunk.plain() {
            return HalfOpen::Done(check_len(wanted, store, plain.bytes()).map(|()| plain.clone()));
        }
        match self.plain_bytes(chunk, wanted, store) {
            Ok(bytes) => HalfOpen::Decoded(bytes),
            Err(error) => HalfOpen::Done(Err(error)),
        }
    }

    /// The plain bytes of a chunk, of a length that is wanted, not verified.
    fn plain_bytes(&self, chunk: &Chunk, wanted: &Wanted, store: &str) -> Result<Arc<[u8]>, StoreError> {
        let bytes = self.decode(chunk, wanted.len.max()).map_err(|error| match error {
            OpenError::Decode(DecodeError::TooLong { .. }) => unexpected_size(wanted, store),
            error => StoreError::invalid(store, &wanted.id, error),
        })?;
        check_len(wanted, store, &bytes)?;
        Ok(bytes)
    }

    /// The plain bytes of a chunk, not verified, `len_max` at most.
    pub(crate) fn decode(&self, chunk: &Chunk, len_max: u64) -> Result<Arc<[u8]>, OpenError> {
        if chunk.stored_form().is_some_and(|form| form.key().is_some()) {
            return self.decode(&chunk.decrypted()?, len_max);
        }
        if let Some(plain) = chunk.stored_as(StorageForm::Plain) {
            return match plain.len() as u64 {
                0 => Err(DecodeError::Empty.into()),
                len if len > len_max => Err(DecodeError::TooLong { limit: len_max }.into()),
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

/// Says which bytes came instead of the wanted ones.
fn other_bytes(mismatch: &Mismatch, store: &str) -> StoreError {
    StoreError { cause: mismatch.to_string(), ..StoreError::invalid(store, &mismatch.expected, "") }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::wanted;

    fn stored(name: &[u8], bytes: &[u8]) -> (Chunk, Wanted) {
        let wanted = wanted(name);
        (Chunk::from_stored(wanted.id, StorageForm::Plain, Arc::from(bytes)), wanted)
    }

    #[test]
    fn many_are_opened_as_one_by_one() {
        let plain = (crate::fake::chunk(b"e"), wanted(b"e"));
        let chunks = [stored(b"a", b"a"), stored(b"b", b""), stored(b"c", b"x"), plain, stored(b"d", b"d")];
        let opener = Opener::new();
        let many = opener.open_many(HashKernel::REFERENCE, DigestKind::Sha512_256, &chunks, "store");
        assert_eq!(many.len(), chunks.len());
        for ((chunk, wanted), opened) in chunks.iter().zip(many) {
            match (opened, opener.open(chunk, wanted, "store")) {
                (Ok(opened), Ok(alone)) => assert_eq!(opened, alone),
                (Err(error), Err(alone)) => assert_eq!(error.to_string(), alone.to_string()),
                (opened, alone) => panic!("{opened:?} is not {alone:?}"),
            }
        }
    }
}
