//! A directory that is held open, and changed by the names in it.
//!
//! Whoever writes thousands of files into one directory looks its path up once, and writes all of them to the same
//! one even when somebody moves it meanwhile. What is only read is found by whole paths, through [`Disk`].

use std::io;
use std::path::{Path, PathBuf};

use crate::disk::{Disk, DiskFile, Metadata};

/// An open directory. Names are relative to it; those of files in directories within have a separator. Each call does
/// what its namesake in [`Disk`] does, and promises as much for a power cut.
pub trait Directory: Send + Sync {
    /// Creates a file that must not exist yet, for reading and writing, with `mode` less umask.
    fn create_new(&self, name: &Path, mode: u32) -> io::Result<Box<dyn DiskFile>>;

    /// Renames a file over whatever file has the new name. Atomic.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove_file(&self, name: &Path) -> io::Result<()>;

    /// Creates a directory (0777 less umask); `false` if it exists.
    fn create_dir(&self, name: &Path) -> io::Result<bool>;

    /// What a name means, a link not followed; `None` if nothing.
    fn symlink_metadata(&self, name: &Path) -> io::Result<Option<Metadata>>;

    /// Sets the time of the last change to now. A link is not followed.
    fn touch(&self, name: &Path) -> io::Result<()>;

    /// Whether a path leads here. Where nothing is held, it does if it leads to a directory.
    fn is_at(&self, path: &Path) -> io::Result<bool>;
}

/// A directory that nothing holds: each call goes the whole path. For systems without calls for it, and models.
pub struct ByPath<D> {
    disk: D,
    path: PathBuf,
}

impl<D: Disk> ByPath<D> {
    /// The directory at a path.
    #[must_use]
    pub fn new(disk: D, path: &Path) -> Self {
        Self { disk, path: path.to_owned() }
    }
}

impl<D: Disk> Directory for ByPath<D> {
    fn create_new(&self, name: &Path, mode: u32) -> io::Result<Box<dyn DiskFile>> {
        self.disk.create_new(&self.path.join(name), mode)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(&self.path.join(from), &self.path.join(to))
    }

    fn remove_file(&self, name: &Path) -> io::Result<()> {
        self.disk.remove_file(&self.path.join(name))
    }

    fn create_dir(&self, name: &Path) -> io::Result<bool> {
        self.disk.create_dir(&self.path.join(name))
    }

    fn symlink_metadata(&self, name: &Path) -> io::Result<Option<Metadata>> {
        self.disk.symlink_metadata(&self.path.join(name))
    }

    fn touch(&self, name: &Path) -> io::Result<()> {
        self.disk.touch(&self.path.join(name))
    }

    fn is_at(&self, path: &Path) -> io::Result<bool> {
        Ok(self.disk.metadata(path)?.is_some_and(|found| found.kind == crate::FileKind::Directory))
    }
}
