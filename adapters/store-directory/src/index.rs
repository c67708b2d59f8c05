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

#[cfg(test)]
mod tests {
    use std::fs;

    use desync_files::HostDisk;
    use desync_test_kit::model_disk::{Cut, ModelDisk};

    use super::*;

    fn host() -> (tempfile::TempDir, DirectoryIndexStore) {
        let directory = tempfile::tempdir().unwrap();
        let store =
            DirectoryIndexStore::open(Arc::new(HostDisk), directory.path(), Durability::Sync).unwrap();
        (directory, store)
    }

    fn put(store: &DirectoryIndexStore, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let mut writer = store.write(name)?;
        writer.write_all(bytes).map_err(|error| store.error(Operation::Put, name, &error))?;
        writer.publish()
    }

    fn get(store: &DirectoryIndexStore, name: &str) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        store.read(name)?.read_to_end(&mut bytes).unwrap();
        Ok(bytes)
    }

    #[test]
    fn indexes_go_in_and_come_out() {
        let (directory, store) = host();
        let long = vec![7; 1_000_000];
        for (name, bytes) in [("a.caibx", &long[..]), ("12:30 100%.caibx", b""), ("a.caibx", b"short")] {
            put(&store, name, bytes).unwrap();
            assert_eq!(get(&store, name).unwrap(), bytes);
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
        let missing = get(&store, "b.caibx").unwrap_err();
        assert_eq!(missing.kind, ErrorKind::Missing);
        assert!(missing.to_string().ends_with("object b.caibx missing from store"), "{missing}");
        for name in ["", ".", "..", "a/b", "/a", "a\\b", "a\0b"] {
            assert!(get(&store, name).unwrap_err().to_string().contains("invalid index name"), "{name:?}");
            assert!(put(&store, name, b"").is_err(), "{name:?}");
        }
    }

    #[test]
    fn an_unpublished_index_leaves_the_old_one() {
        let (directory, store) = host();
        put(&store, "a", b"old").unwrap();
        let mut writer = store.write("a").unwrap();
        writer.write_all(&[1; 600_000]).unwrap();
        assert_eq!(get(&store, "a").unwrap(), b"old");
        drop(writer);
        assert_eq!(get(&store, "a").unwrap(), b"old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn defect_18_power_cut_at_every_operation() {
        let open = |disk: &ModelDisk| {
            DirectoryIndexStore::open(Arc::new(disk.clone()), Path::new("/"), Durability::Sync)
        };
        let (old, new) = (vec![1; 300_000], vec![2; 700_000]);
        let prepare = || {
            let disk = ModelDisk::new();
            put(&open(&disk).unwrap(), "a", &old).unwrap();
            disk
        };
        let clean = prepare();
        let first = clean.operations();
        put(&open(&clean).unwrap(), "a", &new).unwrap();
        for number in first..clean.operations() {
            for cut in [Cut::Undone, Cut::Half, Cut::Done] {
                let disk = prepare();
                disk.cut_power_at(number, cut);
                assert!(put(&open(&disk).unwrap(), "a", &new).is_err());
                for seed in 0..20 {
                    let found = get(&open(&disk.after_power_cut(seed)).unwrap(), "a").unwrap();
                    assert!(found == old || found == new, "operation {number} {cut:?}, seed {seed}");
                }
            }
        }
        assert_eq!(get(&open(&clean.after_power_cut(1)).unwrap(), "a").unwrap(), new);
    }
}
