//! A directory of chunks as a backend.
//!
//! Invariants
//! - A file under its final name is complete and durable, unless durability was switched off (test:
//!   `defect_52_power_cut_at_every_operation`).
//! - What is relied upon and what is written lie in one directory, the one that was opened: a flush fails if its path
//!   has come to mean another (test: `a_directory_that_is_exchanged`). What is only read is found by the path.
//! - Only regular files are chunks: links are not followed, and a FIFO in the place of a chunk keeps nobody
//!   waiting (test: `only_regular_files_are_chunks`).

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use desync_core::ChunkId;
use desync_core::format::StorageForm;
use desync_files::{Directory, Disk, DiskFile, Durability, FileKind, Metadata, temporary_path};
use desync_store::{
    Backend, Buffers, Bytes, ErrorKind, Operation, PrunableBackend, StoreError, USE_IS_NOTED_FOR,
};

use crate::batch::{BatchLimits, Batches, Waiting};
use crate::missing::Missing;
use crate::names::{TEMPORARY_PREFIX, chunk_path};
use crate::prefixes::Prefix;

#[cfg(test)]
mod tests;

/// Buffers kept for chunks that are read: more are seldom read at once.
const IDLE_BUFFERS_MAX: usize = 32;

/// Longer ones are not kept: 1 MiB is four times the longest chunk by default.
const IDLE_BUFFER_LEN_MAX: usize = 1 << 20;

/// How many random names are tried before giving up. One nearly always does.
const NAMES_MAX: u32 = 100;

/// Chunks in a local directory.
///
/// With [`Durability::Sync`], chunks written become visible in batches and at [`Backend::flush`]; this store
/// itself finds them at once. Dropping it without a flush forgets those not yet visible. A flush also makes
/// durable the names of chunks that [`Backend::exists`] found.
pub struct DirectoryStore {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) path: PathBuf,
    directory: Arc<dyn Directory>,
    pub(crate) location: String,
    durability: Durability,
    batches: Batches,
    /// What compressed chunks are read into. Others are kept by whoever asked for them, and in a buffer that fits.
    buffers: Buffers,
    missing: Missing,
}

impl DirectoryStore {
    /// Opens the store in an existing directory.
    ///
    /// # Errors
    /// If it is not a directory, or cannot be opened.
    pub fn open(disk: Arc<dyn Disk>, directory: &Path, durability: Durability) -> Result<Self, StoreError> {
        Self::with_limits(disk, directory, durability, BatchLimits::DEFAULT)
    }

    pub(crate) fn with_limits(
        disk: Arc<dyn Disk>,
        directory: &Path,
        durability: Durability,
        limits: BatchLimits,
    ) -> Result<Self, StoreError> {
        let location = directory.display().to_string();
        let failed = |error: io::Error| StoreError::io(Operation::Open, &location, &error);
        if disk.metadata(directory).map_err(failed)?.is_none_or(|found| found.kind != FileKind::Directory) {
            let cause = format!("{location} is not a directory");
            return Err(StoreError::new(ErrorKind::Permanent, Operation::Open, &location, cause));
        }
        let (path, directory) = (directory.to_owned(), Arc::from(disk.open_dir(directory).map_err(failed)?));
        let batches =
            Batches::new(Arc::clone(&disk), path.clone(), Arc::clone(&directory), location.clone(), limits)
                .map_err(failed)?;
        let buffers = Buffers::new(IDLE_BUFFERS_MAX, IDLE_BUFFER_LEN_MAX);
        Ok(Self {
            batches,
            disk,
            path,
            directory,
            location,
            durability,
            buffers,
            missing: Missing::default(),
        })
    }

    pub(crate) fn error(&self, operation: Operation, id: &ChunkId, error: &io::Error) -> StoreError {
        StoreError::io(operation, &self.location, error).on(id)
    }

    /// Opens the file of a chunk; `None` if there is no regular file in its place.
    fn open_chunk(&self, id: &ChunkId, form: StorageForm) -> io::Result<Option<Box<dyn DiskFile>>> {
        // In this order: whatever waits no longer has got its name.
        if let Some(waiting) = self.batches.find(&(*id, form))
            && let Some(file) = self.open_regular(&self.path.join(waiting))?
        {
            return Ok(Some(file));
        }
        self.open_regular(&chunk_path(&self.path, id, form))
    }

    /// What was found under the final name of a chunk, if that is one. Its name will be durable after a flush.
    fn found(
        &self,
        id: &ChunkId,
        found: io::Result<Option<Metadata>>,
    ) -> Result<Option<Metadata>, StoreError> {
        let found = found.map_err(|error| self.error(Operation::Has, id, &error))?;
        let found = found.filter(|found| found.kind == FileKind::File && found.len > 0);
        if found.is_some() && self.durability == Durability::Sync {
            self.batches.rely_on(id);
        }
        Ok(found)
    }

    fn open_regular(&self, path: &Path) -> io::Result<Option<Box<dyn DiskFile>>> {
        match self.disk.open_nofollow(path) {
            Ok(file) => Ok(Some(file).filter(|file| file.kind() == FileKind::File)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            // What cannot be opened for being something else (a link, a socket) is no chunk either.
            Err(error) => match self.disk.symlink_metadata(path)? {
                Some(found) if found.kind == FileKind::File => Err(error),
                _ => Ok(None),
            },
        }
    }

    /// Writes a complete temporary file into the directory of a chunk, and gives its name in the store.
    fn write_temporary(&self, id: &ChunkId, target: &Path, stored: &[u8]) -> io::Result<PathBuf> {
        let (temporary, file) = self.create_temporary(Prefix::of(id), target)?;
        let written = file.write_all_at(stored, 0);
        drop(file);
        match written {
            Ok(()) => Ok(temporary),
            Err(error) => {
                // The first failure is the one to tell.
                let _ = self.directory.remove_file(&temporary);
                Err(error)
            }
        }
    }

    /// Creates a temporary file beside `target`, and its directory if that is not there yet.
    fn create_temporary(&self, prefix: Prefix, target: &Path) -> io::Result<(PathBuf, Box<dyn DiskFile>)> {
        if self.missing.has(prefix) {
            self.create_directory(prefix)?;
        }
        for _ in 0..NAMES_MAX {
            let temporary = temporary_path(target, OsStr::new(TEMPORARY_PREFIX))?;
            match self.directory.create_new(&temporary, 0o644) {
                Ok(file) => return Ok((temporary, file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => self.create_directory(prefix)?,
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    fn create_directory(&self, prefix: Prefix) -> io::Result<()> {
        self.missing.learn(&*self.disk, &self.path);
        let is_new = self.directory.create_dir(&prefix.name())?;
        self.missing.made(prefix, is_new);
        // Also if another process made it: its name may not be durable yet.
        self.batches.directory_created();
        Ok(())
    }

    /// For scratch data: the final name at once, nothing synced.
    fn rename_at_once(&self, temporary: &Path, target: &Path) -> io::Result<()> {
        self.directory.rename(temporary, target).inspect_err(|_| {
            let _ = self.directory.remove_file(temporary);
        })
    }

    /// Fails if the path has come to mean another directory since this store was opened: what was written is not
    /// where others look for it.
    fn check_path(&self) -> Result<(), StoreError> {
        match self.directory.is_at(&self.path) {
            Ok(true) => Ok(()),
            Ok(false) => {
                let cause = "is not the directory any more that it was when it was opened".to_owned();
                Err(StoreError::new(ErrorKind::Permanent, Operation::Flush, &self.location, cause))
            }
            Err(error) => Err(StoreError::io(Operation::Flush, &self.location, &error)),
        }
    }
}

impl Backend for DirectoryStore {
    fn location(&self) -> &str {
        &self.location
    }

    fn read(&self, id: &ChunkId, form: StorageForm, len_max: u64) -> Result<Bytes, StoreError> {
        let failed = |error: io::Error| self.error(Operation::Get, id, &error);
        let Some(file) = self.open_chunk(id, form).map_err(failed)? else {
            return Err(StoreError::missing(Operation::Get, &self.location, id));
        };
        let too_long = |len| {
            let cause = format!("stored with {len} bytes, expected at most {len_max}");
            StoreError::invalid(&self.location, id, cause)
        };
        let read = |stored: &mut Vec<u8>| file.read_all(len_max, stored).map_err(failed)?.map_err(too_long);
        if form.is_compressed() {
            let mut stored = self.buffers.take();
            return read(&mut stored).map(|()| stored.into());
        }
        let mut stored = Vec::new();
        read(&mut stored).map(|()| stored.into())
    }

    fn read_at_once(&self, id: &ChunkId, form: StorageForm, len_max: u64) -> Option<Bytes> {
        self.disk.read_cached(&chunk_path(&self.path, id, form), len_max).map(Bytes::from)
    }

    fn exists(&self, id: &ChunkId, form: StorageForm) -> Result<bool, StoreError> {
        let look = || self.disk.symlink_metadata(&chunk_path(&self.path, id, form));
        Ok(self.batches.find(&(*id, form)).is_some() || self.found(id, look())?.is_some())
    }

    fn rely_on(&self, id: &ChunkId, form: StorageForm) -> Result<bool, StoreError> {
        if self.batches.find(&(*id, form)).is_some() {
            return Ok(true);
        }
        if self.missing.has(Prefix::of(id)) {
            return Ok(false);
        }
        let name = form.path_of(id);
        let name = Path::new(name.as_str());
        let Some(found) = self.found(id, self.directory.symlink_metadata(name))? else {
            self.missing.learn(&*self.disk, &self.path);
            return Ok(false);
        };
        // A time in the future says nothing, and is put right.
        if found.modified.elapsed().is_ok_and(|age| age < USE_IS_NOTED_FOR) {
            return Ok(true);
        }
        // A chunk that waits for its name is as young as can be. One that has gone since was pruned.
        match self.directory.touch(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(self.batches.find(&(*id, form)).is_some())
            }
            // Another user's chunk: theirs to keep.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                log::debug!("{}: chunk {id}: time of use not noted: {error}", self.location);
                Ok(true)
            }
            Err(error) => Err(self.error(Operation::Has, id, &error)),
            Ok(()) => Ok(true),
        }
    }

    fn write(&self, id: &ChunkId, form: StorageForm, stored: &[u8]) -> Result<(), StoreError> {
        let failed = |error: io::Error| self.error(Operation::Put, id, &error);
        let target = form.path_of(id);
        let target = Path::new(target.as_str());
        let temporary = self.write_temporary(id, target, stored).map_err(failed)?;
        match self.durability {
            Durability::NoSync => self.rename_at_once(&temporary, target).map_err(failed),
            Durability::Sync => {
                self.batches.add((*id, form), Waiting { temporary, len: stored.len() as u64 })
            }
        }
    }

    fn flush(&self) -> Result<(), StoreError> {
        let flushed = match self.durability {
            Durability::NoSync => Ok(()),
            Durability::Sync => self.batches.flush(),
        };
        // It may be why the other failed, and is the one to tell.
        self.check_path().and(flushed)
    }

    fn touch(&self, id: &ChunkId, form: StorageForm) {
        if let Err(error) = self.disk.touch(&chunk_path(&self.path, id, form)) {
            log::debug!("{}: chunk {id}: time of use not noted: {error}", self.location);
        }
    }

    fn as_prunable(&self) -> Option<&dyn PrunableBackend> {
        Some(self)
    }
}
