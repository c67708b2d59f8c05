//! The host's own files: [`Disk`] over the standard library. What differs between Unix and Windows is behind
//! `family`, what only Linux can behind `system`.
//!
//! Every descriptor is close-on-exec, and interrupted calls are repeated. Nothing here remembers anything:
//! a [`HostDisk`] is a word for "the machine we run on".

#[cfg(unix)]
#[path = "unix.rs"]
mod family;
#[cfg(windows)]
#[path = "windows.rs"]
mod family;
mod file;
#[cfg(unix)]
mod held;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod system;
#[cfg(not(target_os = "linux"))]
#[path = "portable.rs"]
mod system;
#[cfg(test)]
mod tests;

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::directory::Directory;
use crate::disk::{Disk, DiskFile, FileKind, Metadata};
use family::{kind_of, translate};
use file::HostFile;

/// The files of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostDisk;

impl HostDisk {
    /// Checks, as far as permissions tell, that files can be made in a directory.
    ///
    /// # Errors
    /// If they cannot, or it is no directory.
    pub fn check_writable(self, directory: &Path) -> io::Result<()> {
        family::check_writable(directory)
    }
}

impl Disk for HostDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        HostFile::boxed(family::open(path)?)
    }

    fn open_dir(&self, path: &Path) -> io::Result<Box<dyn Directory>> {
        family::open_dir(path)
    }

    fn open_nofollow(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        HostFile::boxed(family::open_nofollow(path)?)
    }

    fn read_cached(&self, path: &Path, len_max: u64) -> Option<Vec<u8>> {
        system::read_cached(path, len_max)
    }

    fn open_or_create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        HostFile::boxed(OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?)
    }

    fn create_new(&self, path: &Path, mode: u32) -> io::Result<Box<dyn DiskFile>> {
        Ok(HostFile::created(family::create_new(path, mode)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<bool> {
        match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(false),
            other => other.map(|()| true),
        }
    }

    fn read_dir(&self, path: &Path, max: usize) -> io::Result<Vec<(PathBuf, FileKind)>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)?.take(max) {
            let entry = entry?;
            match entry.file_type() {
                Ok(kind) => entries.push((entry.path(), kind_of(kind))),
                // Where the directory does not tell, somebody may remove the file before it is asked.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(entries)
    }

    fn metadata(&self, path: &Path) -> io::Result<Option<Metadata>> {
        let Some(found) = found(fs::metadata(path))? else { return Ok(None) };
        let mut metadata = translate(&found)?;
        if metadata.kind == FileKind::BlockDevice {
            // A device node has no length of its own.
            metadata.len = self.open(path)?.len()?;
        }
        Ok(Some(metadata))
    }

    fn symlink_metadata(&self, path: &Path) -> io::Result<Option<Metadata>> {
        found(fs::symlink_metadata(path))?.map(|found| translate(&found)).transpose()
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        fs::read_link(path)
    }

    fn touch(&self, path: &Path) -> io::Result<()> {
        family::touch(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        family::sync_dir(path)
    }
}

/// `None` for what does not exist; other failures stay failures.
fn found(result: io::Result<fs::Metadata>) -> io::Result<Option<fs::Metadata>> {
    match result {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
