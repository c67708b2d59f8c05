//! A file read by the ranges of its index, each verified against its ID.
//!
//! Invariant: what is handed on has been hashed (it is a [`VerifiedChunk`]).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use desync_core::format::{ChunkEntry, Index};
use desync_core::plan::zero_id;
use desync_core::{ChunkId, DigestKind, VerifiedChunk};
use desync_files::{Disk, DiskFile, FileKind};

use crate::Error;

/// A file or block device that should be the blob of an index.
pub(crate) struct Ranges {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    digest: DigestKind,
    /// The chunk of the index's maximum length that is all zeros: what holes are made of.
    null: (ChunkId, u64),
}

impl Ranges {
    /// Opens the blob of `index`: a regular file or block device, for only those can be read at any offset.
    pub(crate) fn open(disk: &dyn Disk, path: &Path, index: &Index) -> Result<Self, Error> {
        let open = || -> io::Result<_> {
            // Looked at first, because opening a FIFO would wait.
            let kind = disk.metadata(path)?.ok_or(io::ErrorKind::NotFound)?.kind;
            if !matches!(kind, FileKind::File | FileKind::BlockDevice) {
                let cause = format!("{kind} cannot be read by the ranges of an index");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, cause));
            }
            disk.open(path)
        };
        let file = open().map_err(Error::file("open", path))?;
        let (digest, len) = (index.header.digest(), index.header.sizes.max());
        Ok(Self { file, path: path.to_owned(), digest, null: (zero_id(digest, len), len) })
    }

    /// The open file.
    pub(crate) fn file(&self) -> &dyn DiskFile {
        &*self.file
    }

    /// Checks that the file is as long as the index says; a device may be longer.
    pub(crate) fn check_len(&self, index: &Index) -> Result<(), Error> {
        let (index_len, file_len) =
            (index.blob_len(), self.file.len().map_err(Error::file("measure", &self.path))?);
        let fits = match self.file.kind() {
            FileKind::BlockDevice => file_len >= index_len,
            _ => file_len == index_len,
        };
        if fits { Ok(()) } else { Err(Error::Length { path: self.path.clone(), index_len, file_len }) }
    }

    /// Checks that a range of the file is the chunk the index says. `buffer` is used for its bytes. Zeros
    /// that are a hole are not read.
    pub(crate) fn check(&self, entry: &ChunkEntry, buffer: &mut Vec<u8>) -> Result<(), Error> {
        if (entry.id, entry.len()) == self.null && self.is_hole(entry)? {
            return Ok(());
        }
        buffer.resize(len(entry)?, 0);
        self.fill(entry, buffer)?;
        self.verified(entry, buffer.as_slice()).map(|_| ())
    }

    /// The bytes of one chunk, which are what the index says.
    pub(crate) fn read(&self, entry: &ChunkEntry) -> Result<VerifiedChunk<Arc<[u8]>>, Error> {
        let mut bytes: Arc<[u8]> = std::iter::repeat_n(0, len(entry)?).collect();
        // Nobody else has a share of it yet.
        self.fill(entry, Arc::make_mut(&mut bytes))?;
        self.verified(entry, bytes)
    }

    /// Whether a range lies within a hole of the file; the file may have become shorter.
    fn is_hole(&self, entry: &ChunkEntry) -> Result<bool, Error> {
        let look = || {
            let data = self.file.next_data(entry.start)?;
            Ok(data.is_none_or(|data| data.start >= entry.end) && self.file.len()? >= entry.end)
        };
        look().map_err(Error::file("look for holes in", &self.path))
    }

    fn fill(&self, entry: &ChunkEntry, buffer: &mut [u8]) -> Result<(), Error> {
        self.file.read_exact_at(buffer, entry.start).map_err(Error::file("read", &self.path))
    }

    fn verified<B: AsRef<[u8]>>(&self, entry: &ChunkEntry, bytes: B) -> Result<VerifiedChunk<B>, Error> {
        VerifiedChunk::check(self.digest, entry.id, bytes)
            .map_err(|mismatch| Error::mismatch(&self.path, entry, mismatch.found))
    }
}

/// Length of a chunk in memory. An index bounds it by its maximum, and that by the limits it was read with.
fn len(entry: &ChunkEntry) -> Result<usize, Error> {
    usize::try_from(entry.len()).map_err(|_| Error::Index(format!("chunk {} is too long", entry.id)))
}
