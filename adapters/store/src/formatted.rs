//! A backend made a chunk store: storage form, verification and retries on top of named bytes.
//!
//! Invariants
//! - What `get` returns has plain bytes that were hashed, unless the store was told to skip that
//!   (test: `damage_is_refused`).
//! - No more than what is wanted is read or decoded (tests: `defect_25_…`, `defect_32_…`).
//! - What a network damaged is read once more, what is damaged stays so (test: `a_network_gets_a_second_try`).
//! - Stored bytes of the same form pass through untouched (test: `stored_bytes_pass_through`),
//!   unless their window is larger than this store promises (test: `large_windows_are_not_kept`).

use std::sync::Arc;

use bytes::Bytes;
use desync_codec::{ChunkCipher, Compression, sealing_adds};
use desync_core::chunk_source::Wanted;
use desync_core::format::StorageForm;
use desync_core::{ChunkId, VerifiedChunk};

use crate::converter::{ConvertError, Converted};
use crate::opener::{Opener, unexpected_size};
use crate::{Backend, Chunk, ChunkStore, Converter, ErrorKind, RetryPolicy, StoreError};

#[cfg(test)]
mod tests;

/// Longest stored bytes that are had at once: to copy more takes longer than to hand the request to another thread.
const AT_ONCE_MAX: u64 = 1 << 20;

/// How a store keeps its chunks and how it is used.
#[derive(Clone, Debug)]
pub struct FormatOptions {
    /// Whether stored chunks are compressed. Those of other forms are invisible.
    pub compressed: bool,
    /// What they are encrypted with, if they are.
    pub cipher: Option<Arc<ChunkCipher>>,
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
            compressed: true,
            cipher: None,
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
    converter: Converter,
}

impl<B: Backend> FormattedStore<B> {
    /// A chunk store that keeps its chunks in `backend`.
    #[must_use]
    pub fn new(backend: B, options: FormatOptions) -> Self {
        let converter = Converter::new(options.compressed, options.compression, options.cipher.clone());
        Self { backend, options, opener: Opener::new(), converter }
    }

    /// The form of stored chunks.
    #[must_use]
    pub fn form(&self) -> StorageForm {
        self.converter.form()
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
        let form = self.form();
        let len_max = stored_len_max(form, wanted.len.max());
        let stored = self.options.retry.run(|| self.backend.read(&wanted.id, form, len_max))?;
        if stored.len() as u64 > len_max {
            return Err(unexpected_size(wanted, self.backend.location()));
        }
        Ok(self.chunk(wanted, stored))
    }

    fn write(&self, id: &ChunkId, stored: Result<Converted<'_>, ConvertError>) -> Result<(), StoreError> {
        let stored = stored.map_err(|error| error.of_put(id, self.backend.location()))?;
        self.options.retry.run(|| self.backend.write(id, self.form(), &stored))
    }

    /// A chunk as it is stored.
    fn chunk(&self, wanted: &Wanted, stored: Bytes) -> Chunk {
        Chunk::from_stored(wanted.id, self.form(), stored).with_cipher(self.converter.cipher())
    }

    fn read_and_verify(&self, wanted: &Wanted) -> Result<Chunk, StoreError> {
        let chunk = self.read(wanted)?;
        if self.options.skip_verify {
            return Ok(chunk);
        }
        let plain = self.opener.open(&chunk, wanted, self.backend.location())?;
        Ok(chunk.with_plain(plain))
    }
}

impl<B: Backend> ChunkStore for FormattedStore<B> {
    fn location(&self) -> String {
        self.backend.location().to_owned()
    }

    fn get(&self, wanted: &Wanted) -> Result<Chunk, StoreError> {
        match self.read_and_verify(wanted) {
            Err(error) if error.kind == ErrorKind::Invalid && self.backend.is_remote() => {
                log::debug!("{error}; reading it again");
                self.read_and_verify(wanted)
            }
            read => read,
        }
    }

    fn get_unverified(&self, wanted: &Wanted) -> Result<Chunk, StoreError> {
        self.read(wanted)
    }

    fn get_at_once(&self, wanted: &Wanted) -> Option<Chunk> {
        if !self.options.skip_verify {
            return None;
        }
        let form = self.form();
        let len_max = stored_len_max(form, wanted.len.max()).min(AT_ONCE_MAX);
        Some(self.chunk(wanted, self.backend.read_at_once(&wanted.id, form, len_max)?))
    }

    fn has(&self, id: &ChunkId) -> Result<bool, StoreError> {
        self.options.retry.run(|| self.backend.exists(id, self.form()))
    }

    fn rely_on(&self, id: &ChunkId) -> Result<bool, StoreError> {
        self.options.retry.run(|| self.backend.rely_on(id, self.form()))
    }

    fn put(&self, chunk: &Chunk) -> Result<(), StoreError> {
        self.write(&chunk.id(), self.converter.convert(chunk))
    }

    fn put_plain(&self, chunk: VerifiedChunk<&[u8]>) -> Result<(), StoreError> {
        self.write(&chunk.id(), self.converter.convert_plain(chunk.bytes()))
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.backend.flush()
    }

    fn touch(&self, id: &ChunkId) {
        self.backend.touch(id, self.form());
    }
}

/// How long the stored bytes of a chunk of at most `plain_max` bytes can be.
///
/// Source: zstd's `ZSTD_compressBound` adds less than 1/128 and a few bytes; gzip and xz stay below that
/// with their headers in the 4 KiB of slack.
fn stored_len_max(form: StorageForm, plain_max: u64) -> u64 {
    let inner = if form.is_compressed() {
        plain_max.saturating_add(plain_max / 64).saturating_add(4096)
    } else {
        plain_max
    };
    inner.saturating_add(form.key().map_or(0, |key| sealing_adds(key.cipher) as u64))
}
