//! What an extraction writes to: a new file beside the target, the target itself, or a block device.
//!
//! Invariants
//! - A block device is written in place, and only if it is large enough (tests: `defect_59_…`,
//!   `defect_71_…`, on a loop device).
//! - Nothing but regular files and block devices is ever written or replaced.
//! - Zeros are left out only where nothing was written before (test: `zeros_replace_what_was_shared`).

mod handle;
#[cfg(test)]
mod tests;
mod touched;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, DiskFile, FileKind};
use crate::publish::{Durability, Publication, resolve_links};

pub use handle::TargetHandle;
use touched::Touched;

/// What a path means as a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// Nothing is there yet.
    Missing,
    /// A regular file.
    File,
    /// A block device: always written in place.
    BlockDevice,
    /// A FIFO: written from beginning to end by whoever can do that, not through [`Target`].
    Fifo,
}

/// Why a path cannot be a target.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The path names something that cannot hold a blob.
    #[error("{kind} cannot be a target")]
    Unsuitable {
        /// What it names.
        kind: FileKind,
    },
    /// The device is too small.
    #[error("device of {device_len} bytes is too small for {len} bytes")]
    DeviceTooSmall {
        /// Size of the device in bytes.
        device_len: u64,
        /// Length of the blob in bytes.
        len: u64,
    },
    /// The system failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// How to write a target.
#[derive(Clone, Copy, Debug, Default)]
pub struct TargetOptions {
    /// Write into the file itself and keep it whatever happens, instead of a temporary file that replaces it
    /// at the end.
    pub in_place: bool,
    /// Whether to wait until the result would survive a power cut.
    pub durability: Durability,
}

/// An open target of a known length.
pub struct Target {
    disk: Arc<dyn Disk>,
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    durability: Durability,
    /// `Some` where everything not yet written reads as zeros.
    blank: Option<Arc<Touched>>,
    /// The temporary file that is to become the target, unless that is written in place.
    publication: Option<Publication>,
}

impl TargetKind {
    /// What `path` names, links followed.
    ///
    /// # Errors
    /// [`TargetError::Unsuitable`] for a directory, character device or socket.
    pub fn of(disk: &dyn Disk, path: &Path) -> Result<Self, TargetError> {
        match disk.metadata(path)?.map(|found| found.kind) {
            None => Ok(Self::Missing),
            Some(FileKind::File) => Ok(Self::File),
            Some(FileKind::BlockDevice) => Ok(Self::BlockDevice),
            Some(FileKind::Fifo) => Ok(Self::Fifo),
            Some(kind) => Err(TargetError::Unsuitable { kind }),
        }
    }
}

impl Target {
    /// Opens or creates the target for a blob of `len` bytes. A file gets that length at once: in place, what
    /// is beyond is cut off, what is before stays.
    ///
    /// # Errors
    /// [`TargetError`]; a target that was there is unchanged then.
    pub fn open(
        disk: Arc<dyn Disk>,
        path: &Path,
        len: u64,
        options: TargetOptions,
    ) -> Result<Self, TargetError> {
        match TargetKind::of(&*disk, path)? {
            TargetKind::BlockDevice => Self::open_device(disk, path, len, options.durability),
            TargetKind::Fifo => Err(TargetError::Unsuitable { kind: FileKind::Fifo }),
            _ if options.in_place => Self::open_in_place(disk, path, len, options.durability),
            _ => Self::create(disk, path, len, options.durability),
        }
    }

    fn open_device(
        disk: Arc<dyn Disk>,
        path: &Path,
        len: u64,
        durability: Durability,
    ) -> Result<Self, TargetError> {
        let file: Arc<dyn DiskFile> = disk.open_or_create(path)?.into();
        // What was a device a moment ago may be something else now.
        if file.kind() != FileKind::BlockDevice {
            return Err(TargetError::Unsuitable { kind: file.kind() });
        }
        let device_len = file.len()?;
        if device_len < len {
            return Err(TargetError::DeviceTooSmall { device_len, len });
        }
        Ok(Self { disk, file, path: path.to_owned(), durability, blank: None, publication: None })
    }

    fn open_in_place(
        disk: Arc<dyn Disk>,
        path: &Path,
        len: u64,
        durability: Durability,
    ) -> Result<Self, TargetError> {
        let path = resolve_links(&*disk, path)?;
        let file: Arc<dyn DiskFile> = disk.open_or_create(&path)?.into();
        let blank = file.is_empty()?.then(Arc::default);
        file.set_len(len)?;
        Ok(Self { disk, file, path, durability, blank, publication: None })
    }

    fn create(
        disk: Arc<dyn Disk>,
        path: &Path,
        len: u64,
        durability: Durability,
    ) -> Result<Self, TargetError> {
        let publication = Publication::create(Arc::clone(&disk), path, &temporary_prefix(path), durability)?;
        let file = Arc::clone(publication.file());
        file.set_len(len)?;
        let (path, blank) = (path.to_owned(), Some(Arc::default()));
        Ok(Self { disk, file, path, durability, blank, publication: Some(publication) })
    }

    /// Whether nothing was in it: what is not written reads as zeros.
    #[must_use]
    pub const fn is_blank(&self) -> bool {
        self.blank.is_some()
    }

    /// Whether it is a block device.
    #[must_use]
    pub fn is_device(&self) -> bool {
        self.file.kind() == FileKind::BlockDevice
    }

    /// The block size that shared ranges align to, in bytes.
    #[must_use]
    pub fn block_size(&self) -> u64 {
        self.file.block_size()
    }

    /// The file being written, for reading what it holds.
    #[must_use]
    pub fn file(&self) -> &Arc<dyn DiskFile> {
        &self.file
    }

    /// A handle to write by; one for each thread.
    #[must_use]
    pub fn handle(&self) -> TargetHandle {
        TargetHandle::new(Arc::clone(&self.file), self.blank.clone())
    }

    /// Makes the content durable and, unless it was written in place, gives it its final name. Dropping a
    /// target instead removes the temporary file, or leaves what was written in place.
    ///
    /// # Errors
    /// The system's own.
    pub fn finish(self) -> io::Result<()> {
        if let Some(publication) = self.publication {
            return publication.publish();
        }
        if self.durability == Durability::Sync {
            self.file.sync()?;
            if !self.is_device() {
                // Its name may be new: this run made it, or one that was killed before it got here.
                self.disk.sync_dir(crate::publish::directory_of(&self.path))?;
            }
        }
        Ok(())
    }
}

/// `.<name>.`: hidden, and recognisable for whoever finds it after a crash.
fn temporary_prefix(path: &Path) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push(".");
    prefix
}
