//! Indexes in a place that is reached over a network: retries, going on after a broken connection, whole
//! uploads.
//!
//! An [`IndexBackend`] is the edge: one request, one answer. [`RemoteIndexStore`] makes an [`IndexStore`] of it.
//!
//! Invariants
//! - A body that breaks off is continued where it broke off, or from its beginning if it is no longer the
//!   same index; a reader never sees bytes of two versions (tests: `a_broken_body_is_continued`,
//!   `another_version_is_not_mixed_in`).
//! - An index is uploaded whole, its length known before (test: `an_upload_is_tried_again_whole`).

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use tempfile::SpooledTempFile;

use crate::{ErrorKind, IndexStore, IndexWriter, Operation, RetryPolicy, StoreError};

#[cfg(test)]
mod tests;

/// Indexes of up to this many bytes wait for their upload in memory, larger ones in a temporary file.
const IN_MEMORY_MAX: usize = 4 << 20;

/// The bytes of an index from some offset on.
pub struct IndexBody {
    /// The bytes.
    pub bytes: Box<dyn Read + Send>,
    /// The offset of the first of them: the one asked for, or 0 if the place cannot begin later.
    pub offset: u64,
    /// What tells this version of the index from others (HTTP's `ETag`), if the place has such a thing.
    pub version: Option<String>,
}

/// A place that keeps indexes and is reached over a network. Tries nothing twice. Called from many threads.
pub trait IndexBackend: Send + Sync {
    /// The location as the user gave it, secrets left out; for messages.
    fn location(&self) -> &str;

    /// The bytes of an index, from `offset` on if that can be had.
    ///
    /// # Errors
    /// [`ErrorKind::Missing`] if there is none of this name.
    fn read(&self, name: &str, offset: u64) -> Result<IndexBody, StoreError>;

    /// Keeps an index of `len` bytes, in the place of what had the name before.
    fn write(&self, name: &str, bytes: &mut dyn Read, len: u64) -> Result<(), StoreError>;
}

/// An index store across a network.
pub struct RemoteIndexStore {
    backend: Arc<dyn IndexBackend>,
    retry: RetryPolicy,
}

impl RemoteIndexStore {
    /// An index store over an edge of the world.
    #[must_use]
    pub fn new(backend: Arc<dyn IndexBackend>, retry: RetryPolicy) -> Self {
        Self { backend, retry }
    }
}

impl IndexStore for RemoteIndexStore {
    fn location(&self) -> &str {
        self.backend.location()
    }

    fn read(&self, name: &str) -> Result<Box<dyn Read + Send>, StoreError> {
        let body = self.retry.run(|| self.backend.read(name, 0))?;
        let (backend, retry) = (Arc::clone(&self.backend), self.retry.clone());
        let name = name.to_owned();
        Ok(Box::new(Resuming { backend, retry, name, position: body.offset, failures: 0, body }))
    }

    fn write(&self, name: &str) -> Result<Box<dyn IndexWriter>, StoreError> {
        let (backend, retry) = (Arc::clone(&self.backend), self.retry.clone());
        Ok(Box::new(Upload {
            backend,
            retry,
            name: name.to_owned(),
            bytes: SpooledTempFile::new(IN_MEMORY_MAX),
        }))
    }
}

/// A body that is asked for again where it broke off.
struct Resuming {
    backend: Arc<dyn IndexBackend>,
    retry: RetryPolicy,
    name: String,
    body: IndexBody,
    /// How many bytes the reader has.
    position: u64,
    /// How often in a row nothing came.
    failures: u32,
}

impl Resuming {
    /// Opens the body again at the reader's position.
    fn resume(&mut self) -> Result<(), StoreError> {
        let mut body = self.backend.read(&self.name, self.position)?;
        let changed = match (&body.version, &self.body.version) {
            (Some(now), Some(before)) => now != before,
            // Nothing tells versions apart: the index's own structure has to.
            _ => false,
        };
        if changed {
            let cause = format_args!("{}: changed while it was read", self.name);
            return Err(StoreError::new(
                ErrorKind::Permanent,
                Operation::Get,
                self.backend.location(),
                cause,
            ));
        }
        let skip = self.position.saturating_sub(body.offset);
        let skipped = io::copy(&mut (&mut body.bytes).take(skip), &mut io::sink());
        skipped.map_err(|error| broken_off(&*self.backend, &self.name, &error))?;
        self.body = body;
        Ok(())
    }

    fn failed(&mut self, error: StoreError) -> io::Result<()> {
        self.retry.again(self.failures, error).map_err(io::Error::other)?;
        self.failures += 1;
        Ok(())
    }
}

impl Read for Resuming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.body.bytes.read(buffer) {
                Ok(count) => {
                    self.position += count as u64;
                    self.failures = 0;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.failed(broken_off(&*self.backend, &self.name, &error))?,
            }
            while let Err(error) = self.resume() {
                self.failed(error)?;
            }
        }
    }
}

/// What a body's failure means: the backend's own word for it, or that the connection broke.
fn broken_off(backend: &dyn IndexBackend, name: &str, error: &io::Error) -> StoreError {
    let own = error.get_ref().and_then(|inner| inner.downcast_ref::<StoreError>());
    own.cloned().unwrap_or_else(|| {
        let cause = format_args!("{name}: {error}");
        StoreError::new(ErrorKind::Transient, Operation::Get, backend.location(), cause)
    })
}

/// An index that gathers until it is whole.
struct Upload {
    backend: Arc<dyn IndexBackend>,
    retry: RetryPolicy,
    name: String,
    bytes: SpooledTempFile,
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.bytes.flush()
    }
}

impl IndexWriter for Upload {
    fn publish(self: Box<Self>) -> Result<(), StoreError> {
        let Self { backend, retry, name, mut bytes } = *self;
        let failed = |error: io::Error| StoreError::io(Operation::Put, backend.location(), &error);
        let len = bytes.stream_position().map_err(failed)?;
        retry.run(|| {
            bytes.seek(SeekFrom::Start(0)).map_err(failed)?;
            backend.write(&name, &mut bytes, len)
        })
    }
}
