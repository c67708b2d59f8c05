//! From a chunk of any form to its verified plain bytes.
//!
//! The one place on a host where stored bytes are decoded and named. Bounded by what is wanted: whatever
//! the stored bytes claim, no more than the wanted length comes out.

use core::convert::Infallible;
use core::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use desync_codec::{CipherError, HostDecoder};
use desync_core::chunk_source::{Wanted, WantedLen};
use desync_core::codec::{DecodeError, Decoder as _};
use desync_core::digest::HashKernel;
use desync_core::format::StorageForm;
use desync_core::{ChunkId, DigestKind, Limits, Mismatch, VerifiedChunk};

use crate::plain::{Arena, PlainBytes};
use crate::pool::{Loan, Pool};
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

/// A decoder and what it decoded into last.
struct Scratch {
    decoder: HostDecoder,
    /// What the last chunks were decoded into that were opened together.
    arena: Option<Arc<Vec<u8>>>,
}

/// Where the plain bytes of a chunk are, before they are verified.
enum Place {
    /// They are verified: somebody did that before.
    Verified(VerifiedChunk<PlainBytes>),
    /// In a buffer of their own.
    Whole(Bytes),
    /// In the arena.
    Part(Range<usize>),
}

impl Place {
    /// Bytes of the chunk.
    fn len(&self) -> u64 {
        match self {
            Self::Verified(chunk) => chunk.bytes().len() as u64,
            Self::Whole(bytes) => bytes.len() as u64,
            Self::Part(range) => range.len() as u64,
        }
    }
}

impl Scratch {
    fn new() -> Self {
        Self { decoder: HostDecoder::new(&Limits::HOST), arena: None }
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
    ) -> Result<VerifiedChunk<PlainBytes>, StoreError> {
        if let Some(plain) = chunk.plain() {
            check_len(wanted, store, plain.bytes())?;
            return Ok(plain.clone());
        }
        let bytes = self.plain_bytes(chunk, wanted, store)?;
        VerifiedChunk::check(wanted.digest, wanted.id, bytes.into())
            .map_err(|mismatch| other_bytes(&mismatch, store))
    }

    /// Begins to open chunks together: decoded one by one as they come, hashed side by side in the end. Their plain
    /// bytes lie together in memory, which is used again for the next ones. `store` is named in errors.
    #[must_use]
    pub fn together<'o>(&'o self, hash: HashKernel, digest: DigestKind, store: &'o str) -> Opening<'o> {
        let mut scratch = self.lend();
        let arena = Arena::reusing(scratch.arena.take());
        Opening { scratch, arena, hash, digest, store, places: Vec::new() }
    }

    /// Many chunks opened at once: for each what [`Opener::open`] gives, in their order.
    pub fn open_many(
        &self,
        hash: HashKernel,
        digest: DigestKind,
        chunks: &[(Chunk, Wanted)],
        store: &str,
    ) -> Vec<Result<VerifiedChunk<PlainBytes>, StoreError>> {
        let mut opening = self.together(hash, digest, store);
        chunks.iter().for_each(|(chunk, wanted)| opening.add(chunk, wanted));
        opening.finish()
    }

    /// The plain bytes of a chunk, of a length that is wanted, not verified.
    fn plain_bytes(&self, chunk: &Chunk, wanted: &Wanted, store: &str) -> Result<Bytes, StoreError> {
        let decoded = self.decode(chunk, wanted.len.max());
        let bytes = decoded.map_err(|error| refused(error, wanted, store))?;
        check_len(wanted, store, &bytes)?;
        Ok(bytes)
    }

    /// The plain bytes of a chunk, not verified, `len_max` at most.
    pub(crate) fn decode(&self, chunk: &Chunk, len_max: u64) -> Result<Bytes, OpenError> {
        if chunk.stored_form().is_some_and(|form| form.key().is_some()) {
            return self.decode(&chunk.decrypted()?, len_max);
        }
        if let Some(plain) = chunk.stored_as(StorageForm::Plain) {
            check_plain(plain, len_max)?;
            return Ok(plain.clone());
        }
        let stored = chunk.stored_as(StorageForm::Compressed).ok_or(DecodeError::Empty)?;
        let mut plain = Vec::new();
        self.lend().decoder.decode(stored, len_max, &mut plain)?;
        Ok(plain.into())
    }

    fn lend(&self) -> Loan<'_, Scratch> {
        let Ok(scratch) = self.scratch.lend(|| Ok::<_, Infallible>(Scratch::new()));
        scratch
    }
}

/// Chunks that are opened together.
pub struct Opening<'o> {
    scratch: Loan<'o, Scratch>,
    arena: Arena,
    hash: HashKernel,
    digest: DigestKind,
    store: &'o str,
    /// Of each chunk added: its name, and where its plain bytes are.
    places: Vec<(ChunkId, Result<Place, StoreError>)>,
}

impl Opening<'_> {
    /// Decodes one more chunk, whose stored bytes are not needed any more then.
    pub fn add(&mut self, chunk: &Chunk, wanted: &Wanted) {
        let place = place(chunk, wanted, &mut self.scratch.decoder, &mut self.arena);
        let place = place.map_err(|error| refused(error, wanted, self.store)).and_then(|place| {
            if wanted.len.admits(place.len()) { Ok(place) } else { Err(unexpected_size(wanted, self.store)) }
        });
        self.places.push((wanted.id, place));
    }

    /// Hashes them side by side: for each what [`Opener::open`] gives, in the order in which they were added.
    pub fn finish(self) -> Vec<Result<VerifiedChunk<PlainBytes>, StoreError>> {
        let Self { mut scratch, arena, hash, digest, store, places } = self;
        let arena = arena.share();
        scratch.arena = Some(Arc::clone(&arena));
        let decoded = places.iter().filter_map(|(id, place)| match place {
            Ok(Place::Part(range)) => Some((*id, PlainBytes::part(Arc::clone(&arena), range.clone()))),
            Ok(Place::Whole(bytes)) => Some((*id, bytes.clone().into())),
            Ok(Place::Verified(_)) | Err(_) => None,
        });
        let mut checked = VerifiedChunk::check_many(hash, digest, decoded).into_iter();
        let mut next = || checked.next().expect("each chunk that decodes is checked");
        let open = places.into_iter().map(|(_, place)| match place? {
            Place::Verified(chunk) => Ok(chunk),
            Place::Whole(_) | Place::Part(_) => next().map_err(|mismatch| other_bytes(&mismatch, store)),
        });
        open.collect()
    }
}

/// Finds the plain bytes of a chunk, or decodes them into the arena.
fn place(
    chunk: &Chunk,
    wanted: &Wanted,
    decoder: &mut HostDecoder,
    arena: &mut Arena,
) -> Result<Place, OpenError> {
    let len_max = wanted.len.max();
    if let Some(plain) = chunk.plain() {
        return Ok(Place::Verified(plain.clone()));
    }
    if chunk.stored_form().is_some_and(|form| form.key().is_some()) {
        return place(&chunk.decrypted()?, wanted, decoder, arena);
    }
    if let Some(plain) = chunk.stored_as(StorageForm::Plain) {
        check_plain(plain, len_max)?;
        return Ok(Place::Whole(plain.clone()));
    }
    let stored = chunk.stored_as(StorageForm::Compressed).ok_or(DecodeError::Empty)?;
    let room =
        arena.room(decoder.room_for(stored, len_max)).ok_or(DecodeError::OutOfMemory { len: len_max })?;
    let len = decoder.decode_into(stored, room)?;
    Ok(Place::Part(arena.take(len)))
}

/// Whether bytes that are stored as they are can be a chunk of at most `len_max` bytes.
const fn check_plain(plain: &[u8], len_max: u64) -> Result<(), DecodeError> {
    match plain.len() as u64 {
        0 => Err(DecodeError::Empty),
        len if len > len_max => Err(DecodeError::TooLong { limit: len_max }),
        _ => Ok(()),
    }
}

/// What to say of stored bytes that do not open.
fn refused(error: OpenError, wanted: &Wanted, store: &str) -> StoreError {
    match error {
        OpenError::Decode(DecodeError::TooLong { .. }) => unexpected_size(wanted, store),
        error => StoreError::invalid(store, &wanted.id, error),
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
        (Chunk::from_stored(wanted.id, StorageForm::Plain, Bytes::copy_from_slice(bytes)), wanted)
    }

    #[test]
    fn what_is_verified_is_neither_decoded_nor_hashed_again() {
        let wanted = wanted(b"known");
        let nonsense = Chunk::from_stored(wanted.id, StorageForm::Compressed, b"not zstd"[..].into());
        let plain = VerifiedChunk::check(wanted.digest, wanted.id, b"known"[..].into()).unwrap();
        let known = [(nonsense.clone().with_plain(plain), wanted)];
        let hashes_nothing = HashKernel::new("lazy", 1, |_, _, _| ());
        let open =
            |chunks: &[_]| Opener::new().open_many(hashes_nothing, wanted.digest, chunks, "store").remove(0);
        assert_eq!(open(&known).unwrap().bytes(), b"known");
        assert!(open(&[(nonsense, wanted)]).is_err());
        let longer = Wanted { len: WantedLen::Exactly(6), ..wanted };
        assert!(open(&[(known[0].0.clone(), longer)]).unwrap_err().cause.contains("unexpected size"));
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
                (Ok(opened), Ok(alone)) => {
                    assert_eq!((opened.id(), opened.bytes()), (alone.id(), alone.bytes()))
                }
                (Err(error), Err(alone)) => assert_eq!(error.to_string(), alone.to_string()),
                (opened, alone) => panic!("{opened:?} is not {alone:?}"),
            }
        }
    }
}
