//! Indexes as files of a local directory.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use desync_files::{Disk, Durability, FileKind, Publication, PublicationWriter};
use desync_store::{ErrorKind, IndexStore, IndexWriter, Operation, StoreError};

/// What the names of indexes being written begin with.
const TEMPORARY_PREFIX: &str = ".tmp-index.";

/// Indexes in a local directory, by their file names. A name may belong to anything that can be read from
/// beginning to end.
pub struct DirectoryIndexStore {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    location: String,
    durability: Durability,
}

impl DirectoryIndexStore {
    /// Opens the index store in an existing directory.
    ///
    /// # Errors
    /// If it is not a directory.
    pub fn open(disk: Arc<dyn Disk>, directory: &Path, durability: Durability) -> Result<Self, StoreError> {
        let location = directory.display().to_string();
        let found =
            disk.metadata(directory).map_err(|error| StoreError::io(Operation::Open, &location, &error))?;
        if found.is_none_or(|found| found.kind != FileKind::Directory) {
            let cause = format!("{location} is not a directory");
            return Err(StoreError::new(ErrorKind::Permanent, Operation::Open, &location, cause));
        }
        Ok(Self { disk, directory: directory.to_owned(), location, durability })
    }

    fn path_of(&self, operation: Operation, name: &str) -> Result<PathBuf, StoreError> {
        if matches!(name, "" | "." | "..") || name.contains(['/', '\\', '\0']) {
            let cause = format!("invalid index name {name:?}");
            return Err(StoreError::new(ErrorKind::Permanent, operation, &self.location, cause));
        }
        Ok(self.directory.join(name))
    }

    fn error(&self, operation: Operation, name: &str, error: &io::Error) -> StoreError {
        if error.kind() == io::ErrorKind::NotFound && operation == Operation::Get {
            let cause = format!("object {name} missing from store");
            return StoreError::new(ErrorKind::Missing, operation, &self.location, cause);
        }
        let kind = StoreError::io(operation, &self.location, error);
        StoreError { cause: format!("{name}: {error}"), ..kind }
    }
}

impl IndexStore for DirectoryIndexStore {
    fn location(&self) -> &str {
        &self.location
    }

    fn read(&self, name: &str) -> Result<Box<dyn Read + Send>, StoreError> {
        let path = self.path_of(Operation::Get, name)?;
        let file = self.disk.open(&path).map_err(|error| self.error(Operation::Get, name, &error))?;
        Ok(file.into_reader())
    }

    fn write(&self, name: &str) -> Result<Box<dyn IndexWriter>, StoreError> {
        let path = self.path_of(Operation::Put, name)?;
        let disk = Arc::clone(&self.disk);
        let publication = Publication::create(disk, &path, OsStr::new(TEMPORARY_PREFIX), self.durability)
            .map_err(|error| self.error(Operation::Put, name, &error))?;
        let (location, name) = (self.location.clone(), name.to_owned());
        Ok(Box::new(Writer { file: publication.into_writer(), location, name }))
    }
}

struct Writer {
    file: PublicationWriter,
    location: String,
    name: String,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl IndexWriter for Writer {
    fn publish(self: Box<Self>) -> Result<(), StoreError> {
        let Self { file, location, name } = *self;
        file.publish().map_err(|error| {
            let kind = StoreError::io(Operation::Put, &location, &error);
            StoreError { cause: format!("{name}: {error}"), ..kind }
        })
    }
}
