//! Publication: a file appears under its final name only when its bytes are durable.
//!
//! Temporary file in the same directory, write, sync, rename, sync of the directory. Whatever stops this
//! half-way, the name means the old file or the new one, whole. The directory store batches these steps for
//! many files itself; here is the way of one file.
//!
//! Invariants
//! - An unpublished file is removed when its [`Publication`] is dropped (test: `dropped_without_publishing`).
//! - A cut at any operation leaves the old or the new content (test: `cut_at_every_operation`).

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use crate::disk::{Disk, DiskFile, FileKind};

#[cfg(test)]
mod tests;

/// How many links in a row [`resolve_links`] follows, as many as Linux does.
const LINKS_MAX: u32 = 40;
/// How many random names are tried before giving up. One nearly always does.
const NAMES_MAX: u32 = 100;
/// Bytes a [`PublicationWriter`] gathers before it writes.
const BUFFER_LEN: usize = 256 << 10;

/// Whether to wait until what was written would survive a power cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Wait, at each step where order matters.
    #[default]
    Sync,
    /// Do not wait: for scratch data. After a power cut, anything may be missing, empty or half there.
    NoSync,
}

/// A file on its way to its final name.
pub struct Publication {
    disk: Arc<dyn Disk>,
    file: Arc<dyn DiskFile>,
    temporary: PathBuf,
    target: PathBuf,
    durability: Durability,
    published: bool,
}

impl Publication {
    /// Begins a file that will be named `target`, in a temporary file beside it whose name is `prefix` and
    /// a random number. Links in the place of `target` are followed, so that the file behind them is the
    /// one replaced. It takes over the permissions and, where permitted, the owner of the file it replaces;
    /// a new file gets 0666 less umask.
    ///
    /// # Errors
    /// The system's own, `InvalidInput` if `target` is there and no regular file. Nothing is left behind.
    pub fn create(
        disk: Arc<dyn Disk>,
        target: &Path,
        prefix: &OsStr,
        durability: Durability,
    ) -> io::Result<Self> {
        let target = resolve_links(&*disk, target)?;
        let replaced = disk.metadata(&target)?;
        if replaced.is_some_and(|replaced| replaced.kind != FileKind::File) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "exists and is not a regular file"));
        }
        let (temporary, file) = create_temporary(&*disk, &target, prefix)?;
        let publication = Self { disk, file: file.into(), temporary, target, durability, published: false };
        if let Some(replaced) = replaced {
            publication.file.set_access(replaced.mode, replaced.owner)?;
        }
        Ok(publication)
    }

    /// The temporary file, for positioned writing from any number of threads.
    #[must_use]
    pub fn file(&self) -> &Arc<dyn DiskFile> {
        &self.file
    }

    /// Writes the content from its beginning to its end. Call [`PublicationWriter::publish`] at the end.
    #[must_use]
    pub fn into_writer(self) -> PublicationWriter {
        PublicationWriter { publication: self, buffer: Vec::with_capacity(BUFFER_LEN), written: 0 }
    }

    /// Makes the content durable and gives it its final name.
    ///
    /// # Errors
    /// The system's own. The name means the old file then, unless only the last sync failed.
    pub fn publish(mut self) -> io::Result<()> {
        if self.durability == Durability::Sync {
            self.file.sync()?;
        }
        self.disk.rename(&self.temporary, &self.target)?;
        self.published = true;
        if self.durability == Durability::Sync {
            self.disk.sync_dir(directory_of(&self.target))?;
        }
        Ok(())
    }
}

impl Drop for Publication {
    fn drop(&mut self) {
        if !self.published {
            // Nobody is left to tell; a file that cannot be removed is a leftover like that of a crash.
            let _ = self.disk.remove_file(&self.temporary);
        }
    }
}

/// A [`Publication`] that is written from beginning to end.
pub struct PublicationWriter {
    publication: Publication,
    buffer: Vec<u8>,
    written: u64,
}

impl PublicationWriter {
    /// Writes what is buffered, makes the content durable and gives it its final name.
    ///
    /// # Errors
    /// As [`Publication::publish`].
    pub fn publish(mut self) -> io::Result<()> {
        self.flush()?;
        self.publication.publish()
    }
}

impl Write for PublicationWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + bytes.len() > BUFFER_LEN {
            self.flush()?;
        }
        let taken = bytes.len().min(BUFFER_LEN);
        self.buffer.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.publication.file.write_all_at(&self.buffer, self.written)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

/// The path that `path` means once symbolic links in its last component are followed. What it names need
/// not exist.
///
/// # Errors
/// The system's own; `InvalidInput` after 40 links.
pub fn resolve_links(disk: &dyn Disk, path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        match disk.symlink_metadata(&path)? {
            Some(found) if found.kind == FileKind::Symlink => {
                path = directory_of(&path).join(disk.read_link(&path)?);
            }
            _ => return Ok(path),
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "too many levels of symbolic links"))
}

/// A path beside `target`: its directory, `prefix`, a decimal number that counts on from a random one in each
/// process. Whoever creates it must be ready for a name that is taken.
///
/// # Errors
/// If the system gives no random numbers.
pub fn temporary_path(target: &Path, prefix: &OsStr) -> io::Result<PathBuf> {
    static FIRST: OnceLock<Result<u32, getrandom::Error>> = OnceLock::new();
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let first = (*FIRST.get_or_init(getrandom::u32)).map_err(|error| io::Error::other(error.to_string()))?;
    let number = first.wrapping_add(COUNT.fetch_add(1, Ordering::Relaxed));
    let mut name = OsString::from(prefix);
    name.push(number.to_string());
    Ok(directory_of(target).join(name))
}

fn create_temporary(
    disk: &dyn Disk,
    target: &Path,
    prefix: &OsStr,
) -> io::Result<(PathBuf, Box<dyn DiskFile>)> {
    for _ in 0..NAMES_MAX {
        let path = temporary_path(target, prefix)?;
        match disk.create_new(&path, 0o666) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => return Ok((path, other?)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// The directory that holds a name: never empty, as `Path::parent` of a bare name is.
pub(crate) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
