//! A backend made a chunk store: storage form, verification and retries on top of named bytes.
//!
//! Invariants
//! - What `get` returns has plain bytes that were hashed, unless the store was told to skip that
//!   (test: `damage_is_refused`).
//! - No more than what is wanted is read or decoded (tests: `defect_25_…`, `defect_32_…`).
//! - Stored bytes of the same form pass through untouched (test: `stored_bytes_pass_through`),
//!   unless their window is larger than this store promises (test: `large_windows_are_not_kept`).

use std::sync::Arc;

use desync_codec::{Compression, EncodeError, Encoder};
use desync_core::chunk_source::Wanted;
use desync_core::codec::zstd::Frame;
use desync_core::format::StorageForm;
use desync_core::{ChunkId, Limits};

use crate::opener::{Opener, unexpected_size};
use crate::pool::Pool;
use crate::{Backend, Chunk, ChunkStore, ErrorKind, Operation, RetryPolicy, StoreError};

#[cfg(test)]
mod tests;

/// How a store keeps its chunks and how it is used.
#[derive(Clone, Debug)]
pub struct FormatOptions {
    /// The form of stored chunks. Those of other forms are invisible.
    pub form: StorageForm,
    /// Hand chunks on as they are stored, without decoding and hashing them.
    pub skip_verify: bool,
    /// How chunks written are compressed.
    pub compression: Compression,
    /// What is tried again.
    pub retry: RetryPolicy,
}

impl Default for FormatOptions {
    /// Compressed as hosts do, verified, [`RetryPolicy::default`].
    fn default() -> Self {
        Self {
            form: StorageForm::Compressed,
            skip_verify: false,
            compression: Compression::DEFAULT,
            retry: RetryPolicy::default(),
        }
    }
}

/// A chunk store over an edge of the world.
pub struct FormattedStore<B> {
    backend: B,
    options: FormatOptions,
    opener: Opener,
    encoders: Pool<Encoding>,
}

/// An encoder and the buffer it encodes into.
struct Encoding {
    encoder: Encoder,
    stored: Vec<u8>,
}

impl<B: Backend> FormattedStore<B> {
    /// A chunk store that keeps its chunks in `backend`.
    #[must_use]
    pub const fn new(backend: B, options: FormatOptions) -> Self {
        Self { backend, options, opener: Opener::new(), encoders: Pool::new() }
    }

    /// Where the chunks are kept.
    #[must_use]
    pub const fn backend(&self) -> &B {
        &self.backend
    }

    /// How they are kept.
    #[must_use]
    pub const fn options(&self) -> &FormatOptions {
        &self.options
    }

    fn read(&self, wanted: &Wanted) -> Result<Chunk, StoreError> {
        let form = self.options.form;
        let len_max = stored_len_max(form, wanted.len.max());
        let stored = self.options.retry.run(|| self.backend.read(&wanted.id, form, len_max))?;
        if stored.len() as u64 > len_max {
            return Err(unexpected_size(wanted, self.backend.location()));
        }
        Ok(Chunk::from_stored(wanted.id, form, stored.into()))
    }

    fn write(&self, id: &ChunkId, stored: &[u8]) -> Result<(), StoreError> {
        self.options.retry.run(|| self.backend.write(id, self.options.form, stored))
    }

    /// Whether stored bytes of this store's form may be kept untouched: all, unless windows are bounded.
    fn keeps_as_is(&self, stored: &[u8]) -> bool {
        let FormatOptions { form, compression, .. } = &self.options;
        let Some(log) = compression.window_log.filter(|_| *form == StorageForm::Compressed) else {
            return true;
        };
        let limits = Limits::HOST;
        Frame::parse(stored, limits.chunk_len_max, limits.zstd_window_max)
            .is_ok_and(|frame| 1_u64.checked_shl(log).is_none_or(|max| frame.window_len() <= max))
    }

    /// Brings plain bytes into the form of this store.
    fn write_plain(&self, id: &ChunkId, plain: &[u8]) -> Result<(), StoreError> {
        if self.options.form == StorageForm::Plain {
            return self.write(id, plain);
        }
        let failed = |error: EncodeError| {
            StoreError::new(ErrorKind::Permanent, Operation::Put, self.backend.location(), error).on(id)
        };
        let mut encoding = self.encoders.lend(|| Encoding::new(self.options.compression)).map_err(failed)?;
        let Encoding { encoder, stored } = &mut *encoding;
        encoder.encode(plain, stored).map_err(failed)?;
        self.write(id, stored)
    }
}

impl Encoding {
    fn new(compression: Compression) -> Result<Self, EncodeError> {
        Ok(Self { encoder: Encoder::with(compression)?, stored: Vec::new() })
    }
}

impl<B: Backend> ChunkStore for FormattedStore<B> {
    fn location(&self) -> String {
        self.backend.location().to_owned()
    }

    fn get(&self, wanted: &Wanted) -> Result<Chunk, StoreError> {
        let chunk = self.read(wanted)?;
        if self.options.skip_verify {
            return Ok(chunk);
        }
        let plain = self.opener.open(&chunk, wanted, self.backend.location())?;
        Ok(chunk.with_plain(plain))
    }

    fn get_unverified(&self, wanted: &Wanted) -> Result<Chunk, StoreError> {
        self.read(wanted)
    }

    fn has(&self, id: &ChunkId) -> Result<bool, StoreError> {
        self.options.retry.run(|| self.backend.exists(id, self.options.form))
    }

    fn put(&self, chunk: &Chunk) -> Result<(), StoreError> {
        let id = chunk.id();
        if let Some(stored) = chunk.stored_as(self.options.form).filter(|stored| self.keeps_as_is(stored)) {
            return self.write(&id, stored);
        }
        if let Some(plain) = chunk.plain() {
            return self.write_plain(&id, plain.bytes());
        }
        // From a store that skips verification, in another form: converted, still not verified.
        let plain: Arc<[u8]> =
            self.opener.decode(chunk, Limits::HOST.chunk_len_max).map_err(|error| StoreError {
                operation: Operation::Put,
                ..StoreError::invalid(self.backend.location(), &id, error)
            })?;
        self.write_plain(&id, &plain)
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.backend.flush()
    }

    fn touch(&self, id: &ChunkId) {
        self.backend.touch(id, self.options.form);
    }
}

/// How long the stored bytes of a chunk of at most `plain_max` bytes can be.
///
/// Source: zstd's `ZSTD_compressBound` adds less than 1/128 and a few bytes; gzip and xz stay below that
/// with their headers in the 4 KiB of slack.
fn stored_len_max(form: StorageForm, plain_max: u64) -> u64 {
    match form {
        StorageForm::Plain => plain_max,
        StorageForm::Compressed => plain_max.saturating_add(plain_max / 64).saturating_add(4096),
    }
}
