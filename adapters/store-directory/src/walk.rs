//! What lies in a chunk directory, and taking it away.
//!
//! Only the root and directories named by four hex digits are looked into, links never followed: nowhere else
//! can a chunk be. (Go desync walks whatever else the directory holds, too.)

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use desync_core::ChunkId;
use desync_core::format::StorageForm;
use desync_files::{FileKind, Metadata, temporary_path};
use desync_store::{Listed, Operation, PrunableBackend, StoreError};

use crate::DirectoryStore;
use crate::names::{TEMPORARY_PREFIX, any_case_chunk_of, chunk_of, chunk_path, is_prefix, is_temporary};

impl DirectoryStore {
    /// The files that bear a chunk's name in this form but lie where nobody looks for it: in another
    /// directory, or with digits in upper case. No store reads them.
    ///
    /// # Errors
    /// If a directory cannot be read.
    pub fn strays(&self, form: StorageForm) -> Result<Vec<PathBuf>, StoreError> {
        let mut strays = Vec::new();
        self.for_each_file(&mut |path| {
            let is_stray = path.file_name().is_some_and(|name| any_case_chunk_of(name, form).is_some())
                && self.chunk_at(path, form).is_none();
            strays.extend(is_stray.then(|| path.to_owned()));
            Ok(true)
        })?;
        Ok(strays)
    }

    /// The chunk whose proper place a path is.
    fn chunk_at(&self, path: &Path, form: StorageForm) -> Option<ChunkId> {
        let id = chunk_of(path.file_name()?, form)?;
        (chunk_path(&self.path, &id, form) == path).then_some(id)
    }

    /// Calls `found` for each regular file, until it answers `false`.
    fn for_each_file(
        &self,
        found: &mut dyn FnMut(&Path) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        for (path, kind) in self.entries(&self.path)? {
            let more = match kind {
                FileKind::File => found(&path)?,
                FileKind::Directory if has_prefix_name(&path) => self.for_each_file_in(&path, found)?,
                _ => true,
            };
            if !more {
                break;
            }
        }
        Ok(())
    }

    fn for_each_file_in(
        &self,
        directory: &Path,
        found: &mut dyn FnMut(&Path) -> Result<bool, StoreError>,
    ) -> Result<bool, StoreError> {
        for (path, kind) in self.entries(directory)? {
            if kind == FileKind::File && !found(&path)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The paths in a directory and what they are; none if it has gone meanwhile.
    fn entries(&self, directory: &Path) -> Result<Vec<(PathBuf, FileKind)>, StoreError> {
        match self.disk.read_dir(directory, usize::MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && directory != self.path => Ok(Vec::new()),
            other => other.map_err(|error| self.list_error(directory, &error)),
        }
    }

    /// What a regular file is known by; `None` if it has gone meanwhile.
    fn metadata(&self, path: &Path) -> Result<Option<Metadata>, StoreError> {
        let found = self.disk.symlink_metadata(path).map_err(|error| self.list_error(path, &error))?;
        Ok(found.filter(|found| found.kind == FileKind::File))
    }

    fn list_error(&self, path: &Path, error: &io::Error) -> StoreError {
        let kind = StoreError::io(Operation::List, &self.location, error);
        StoreError { cause: format!("{}: {error}", path.display()), ..kind }
    }
}

impl PrunableBackend for DirectoryStore {
    fn list(
        &self,
        form: StorageForm,
        found: &mut dyn FnMut(Listed) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        self.for_each_file(&mut |path| {
            let Some(id) = self.chunk_at(path, form) else { return Ok(true) };
            let Some(Metadata { len, modified, .. }) = self.metadata(path)? else { return Ok(true) };
            found(Listed { id, stored_len: len, modified: Some(modified) })
        })
    }

    fn list_ids(
        &self,
        form: StorageForm,
        found: &mut dyn FnMut(ChunkId) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        self.for_each_file(&mut |path| self.chunk_at(path, form).map_or(Ok(true), &mut *found))
    }

    fn remove(&self, id: &ChunkId, form: StorageForm) -> Result<(), StoreError> {
        self.disk.remove_file(&chunk_path(&self.path, id, form)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StoreError::missing(Operation::Remove, &self.location, id),
            _ => self.error(Operation::Remove, id, &error),
        })
    }

    /// A writer may rely on the chunk at this very moment. So it is taken away first, under the name of a
    /// leftover, and looked at then: whoever relies on it from here on misses it and stores it anew.
    fn remove_unless_used(
        &self,
        id: &ChunkId,
        form: StorageForm,
        since: SystemTime,
    ) -> Result<bool, StoreError> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => StoreError::missing(Operation::Remove, &self.location, id),
            _ => self.error(Operation::Remove, id, &error),
        };
        let path = chunk_path(&self.path, id, form);
        let is_used = |path: &Path| -> io::Result<bool> {
            let found = self.disk.symlink_metadata(path)?.ok_or(io::ErrorKind::NotFound)?;
            Ok(found.modified > since)
        };
        if is_used(&path).map_err(failed)? {
            return Ok(false);
        }
        let aside = temporary_path(&path, OsStr::new(TEMPORARY_PREFIX)).map_err(failed)?;
        self.disk.rename(&path, &aside).map_err(failed)?;
        if is_used(&aside).map_err(failed)? {
            self.disk.rename(&aside, &path).map_err(failed)?;
            return Ok(false);
        }
        self.disk.remove_file(&aside).map_err(failed)?;
        Ok(true)
    }

    fn remove_leftovers(&self, older_than: SystemTime) -> Result<u64, StoreError> {
        let mut removed = 0;
        self.for_each_file(&mut |path| {
            let is_leftover = path.file_name().is_some_and(is_temporary)
                && self.metadata(path)?.is_some_and(|metadata| metadata.modified < older_than);
            if is_leftover {
                match self.disk.remove_file(path) {
                    Ok(()) => removed += 1,
                    // Its writer, or another prune, was faster.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(self.list_error(path, &error)),
                }
            }
            Ok(true)
        })?;
        Ok(removed)
    }
}

fn has_prefix_name(path: &Path) -> bool {
    path.file_name().is_some_and(is_prefix)
}
