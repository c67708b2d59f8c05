//! From a chunk of any form to the stored bytes of one form.
//!
//! Layers that two forms share stay on: compressed bytes are encrypted, not compressed anew, and bytes of the
//! same form and key pass untouched. What was not verified is converted all the same, still not verified.

use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use desync_codec::{ChunkCipher, CipherError, Compression, EncodeError, Encoder};
use desync_core::codec::zstd::Frame;
use desync_core::format::StorageForm;
use desync_core::{ChunkId, Limits};

use crate::opener::{OpenError, Opener};
use crate::pool::{Loan, Pool};
use crate::{Chunk, ErrorKind, Operation, PlainBytes, StoreError};

/// Brings chunks into one form. Keeps encoders for reuse; threads share it.
pub struct Converter {
    compressed: bool,
    compression: Compression,
    cipher: Option<Arc<ChunkCipher>>,
    opener: Opener,
    encoders: Pool<Encoding>,
}

/// An encoder and the buffer it encodes into.
struct Encoding {
    encoder: Encoder,
    stored: Vec<u8>,
}

/// Why a chunk cannot be brought into a form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// What was stored does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It cannot be compressed.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// It cannot be encrypted.
    #[error(transparent)]
    Seal(CipherError),
}

impl ConvertError {
    /// The failure of storing a chunk in `store`.
    pub(crate) fn of_put(self, id: &ChunkId, store: &str) -> StoreError {
        match self {
            Self::Open(error) => {
                StoreError { operation: Operation::Put, ..StoreError::invalid(store, id, error) }
            }
            error => StoreError::new(ErrorKind::Permanent, Operation::Put, store, error).on(id),
        }
    }
}

/// Bytes in the form that was asked for.
pub struct Converted<'c>(Kind<'c>);

enum Kind<'c> {
    /// Some store had them so.
    Kept(Bytes),
    /// They are the plain ones.
    Plain(PlainBytes),
    /// They are the plain ones, which the caller has.
    Lent(&'c [u8]),
    Encoded(Loan<'c, Encoding>),
    Sealed(Vec<u8>),
}

impl Deref for Converted<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Kind::Kept(bytes) => bytes,
            Kind::Plain(bytes) => bytes.as_ref(),
            Kind::Lent(bytes) => bytes,
            Kind::Encoded(encoding) => &encoding.stored,
            Kind::Sealed(bytes) => bytes,
        }
    }
}

impl Converted<'_> {
    /// The bytes to keep. Bytes that passed untouched are shared, not copied.
    #[must_use]
    pub fn into_shared(self) -> Bytes {
        match self.0 {
            Kind::Kept(bytes) => bytes,
            Kind::Plain(bytes) => bytes.into_own(),
            Kind::Lent(bytes) => Bytes::copy_from_slice(bytes),
            Kind::Encoded(encoding) => Bytes::copy_from_slice(&encoding.stored),
            Kind::Sealed(bytes) => bytes.into(),
        }
    }
}

impl Converter {
    /// Compresses or not, then encrypts if there is a cipher.
    #[must_use]
    pub const fn new(compressed: bool, compression: Compression, cipher: Option<Arc<ChunkCipher>>) -> Self {
        Self { compressed, compression, cipher, opener: Opener::new(), encoders: Pool::new() }
    }

    /// The form that chunks are brought into.
    #[must_use]
    pub fn form(&self) -> StorageForm {
        let form = if self.compressed { StorageForm::Compressed } else { StorageForm::Plain };
        self.cipher.as_ref().map_or(form, |cipher| form.encrypted(cipher.label()))
    }

    /// What opens chunks of this form, if they are encrypted.
    #[must_use]
    pub const fn cipher(&self) -> Option<&Arc<ChunkCipher>> {
        self.cipher.as_ref()
    }

    /// The bytes of a chunk in this form.
    ///
    /// # Errors
    /// [`ConvertError`].
    pub fn convert(&self, chunk: &Chunk) -> Result<Converted<'_>, ConvertError> {
        let form = self.form();
        if let Some(stored) = chunk.stored_as(form)
            && (!self.bounds_windows() || self.cipher.is_none() && self.fits_window(stored))
        {
            return Ok(Converted(Kind::Kept(stored.clone())));
        }
        self.seal(self.inner(chunk, form.decrypted())?)
    }

    /// The same of plain bytes that stay the caller's.
    ///
    /// # Errors
    /// [`ConvertError`].
    pub fn convert_plain<'c>(&'c self, plain: &'c [u8]) -> Result<Converted<'c>, ConvertError> {
        let inner = if self.compressed { self.encode(plain)? } else { Converted(Kind::Lent(plain)) };
        self.seal(inner)
    }

    /// The last layer.
    fn seal<'c>(&self, inner: Converted<'c>) -> Result<Converted<'c>, ConvertError> {
        match &self.cipher {
            None => Ok(inner),
            Some(cipher) => Ok(Converted(Kind::Sealed(cipher.seal(&inner).map_err(ConvertError::Seal)?))),
        }
    }

    /// The bytes before encryption.
    fn inner(&self, chunk: &Chunk, form: StorageForm) -> Result<Converted<'_>, ConvertError> {
        if chunk.stored_form().is_some_and(|stored| stored.decrypted() == form) {
            let decrypted = chunk.decrypted().map_err(OpenError::from)?;
            if let Some(stored) = decrypted.stored_as(form).filter(|stored| self.fits_window(stored)) {
                return Ok(Converted(Kind::Kept(stored.clone())));
            }
        }
        let plain = match chunk.plain() {
            Some(plain) => plain.clone().into_bytes(),
            None => self.opener.decode(chunk, Limits::HOST.chunk_len_max)?.into(),
        };
        if self.compressed { Ok(self.encode(plain.as_ref())?) } else { Ok(Converted(Kind::Plain(plain))) }
    }

    fn encode(&self, plain: &[u8]) -> Result<Converted<'_>, EncodeError> {
        let mut encoding = self.encoders.lend(|| Encoding::new(self.compression))?;
        let Encoding { encoder, stored } = &mut *encoding;
        encoder.encode(plain, stored)?;
        Ok(Converted(Kind::Encoded(encoding)))
    }

    const fn bounds_windows(&self) -> bool {
        self.compressed && self.compression.window_log.is_some()
    }

    /// Whether stored bytes may be kept untouched: all, unless windows are bounded.
    fn fits_window(&self, stored: &[u8]) -> bool {
        let Some(log) = self.compression.window_log.filter(|_| self.compressed) else { return true };
        let limits = Limits::HOST;
        Frame::parse(stored, limits.chunk_len_max, limits.zstd_window_max)
            .is_ok_and(|frame| 1_u64.checked_shl(log).is_none_or(|max| frame.window_len() <= max))
    }
}

impl Encoding {
    fn new(compression: Compression) -> Result<Self, EncodeError> {
        Ok(Self { encoder: Encoder::with(compression)?, stored: Vec::new() })
    }
}
