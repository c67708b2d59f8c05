//! A chunk on its way between stores: its name, the bytes as some store kept them, its plain bytes.

use std::sync::Arc;

use bytes::Bytes;
use desync_codec::{ChunkCipher, CipherError};
use desync_core::format::StorageForm;
use desync_core::{ChunkId, VerifiedChunk};

use crate::PlainBytes;

/// A chunk from a store or for one. At least one of the two forms is there.
///
/// Carrying the stored bytes along lets a cache of the same form keep them without compressing again; carrying the
/// plain ones, a cache of another form without decoding again.
#[derive(Clone, Debug)]
pub struct Chunk {
    id: ChunkId,
    stored: Option<Stored>,
    plain: Option<VerifiedChunk<PlainBytes>>,
}

#[derive(Clone, Debug)]
struct Stored {
    form: StorageForm,
    bytes: Bytes,
    /// What opens them, if they are encrypted.
    cipher: Option<Arc<ChunkCipher>>,
}

impl Chunk {
    /// A chunk known by its verified plain bytes.
    #[must_use]
    pub fn from_plain(plain: VerifiedChunk<PlainBytes>) -> Self {
        Self { id: plain.id(), stored: None, plain: Some(plain) }
    }

    /// Bytes as a store keeps them, not verified: they may be anything.
    #[must_use]
    pub fn from_stored(id: ChunkId, form: StorageForm, bytes: Bytes) -> Self {
        Self { id, stored: Some(Stored { form, bytes, cipher: None }), plain: None }
    }

    /// Adds what opens the stored bytes, if they are encrypted.
    #[must_use]
    pub fn with_cipher(mut self, cipher: Option<&Arc<ChunkCipher>>) -> Self {
        if let Some(stored) = &mut self.stored {
            stored.cipher = cipher.cloned();
        }
        self
    }

    /// Adds the verified plain bytes to a chunk that came from a store.
    ///
    /// # Panics
    /// If they have another name: a programmer's error.
    #[must_use]
    pub fn with_plain(mut self, plain: VerifiedChunk<PlainBytes>) -> Self {
        assert_eq!(self.id, plain.id(), "plain bytes of another chunk");
        self.plain = Some(plain);
        self
    }

    /// The name it goes by.
    #[must_use]
    pub const fn id(&self) -> ChunkId {
        self.id
    }

    /// The bytes some store kept, if they are in this form.
    #[must_use]
    pub fn stored_as(&self, form: StorageForm) -> Option<&Bytes> {
        self.stored.as_ref().filter(|stored| stored.form == form).map(|stored| &stored.bytes)
    }

    /// The form of the bytes some store kept.
    #[must_use]
    pub fn stored_form(&self) -> Option<StorageForm> {
        self.stored.as_ref().map(|stored| stored.form)
    }

    /// The same chunk, its stored bytes no longer encrypted.
    ///
    /// # Errors
    /// [`CipherError`]; [`CipherError::NoKey`] if it was not told what opens them.
    pub fn decrypted(&self) -> Result<Self, CipherError> {
        let Some(Stored { form, bytes, cipher }) = &self.stored else { return Ok(self.clone()) };
        let Some(label) = form.key() else { return Ok(self.clone()) };
        let cipher = cipher.as_ref().filter(|cipher| cipher.label() == label).ok_or(CipherError::NoKey)?;
        let stored = Stored { form: form.decrypted(), bytes: cipher.open(bytes)?.into(), cipher: None };
        Ok(Self { stored: Some(stored), ..self.clone() })
    }

    /// The verified plain bytes, if they are known already.
    #[must_use]
    pub const fn plain(&self) -> Option<&VerifiedChunk<PlainBytes>> {
        self.plain.as_ref()
    }
}
