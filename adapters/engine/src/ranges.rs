//! A file that is read by the ranges of an index: opened, and its length checked.

use std::io;
use std::path::{Path, PathBuf};

use desync_core::format::Index;
use desync_files::{Disk, DiskFile, FileKind};

use crate::Error;

/// A file or block device that should be the blob of an index.
pub(crate) struct Ranges {
    file: Box<dyn DiskFile>,
    path: PathBuf,
}

impl Ranges {
    /// Opens a regular file or block device, for only those can be read at any offset.
    pub(crate) fn open(disk: &dyn Disk, path: &Path) -> Result<Self, Error> {
        let open = || -> io::Result<_> {
            // Looked at first, because opening a FIFO would wait.
            let kind = disk.metadata(path)?.ok_or(io::ErrorKind::NotFound)?.kind;
            if !matches!(kind, FileKind::File | FileKind::BlockDevice) {
                let cause = format!("{kind} cannot be read by the ranges of an index");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, cause));
            }
            disk.open(path)
        };
        Ok(Self { file: open().map_err(Error::file("open", path))?, path: path.to_owned() })
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
}
