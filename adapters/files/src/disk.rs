//! The seam to the operating system's files, narrow enough to be modelled.
//!
//! Two implementations: the host's own file systems, and (in `desync-test-kit`) a model that loses at a
//! power cut whatever was not synced.
//!
//! # Power-loss contract
//! - Written bytes and lengths are durable after [`DiskFile::sync`] of the file, or [`DiskFile::sync_fs`].
//! - Names (created, renamed, removed) are durable after [`Disk::sync_dir`] of their directory, or
//!   [`DiskFile::sync_fs`]. A rename is atomic: after a cut the name means the old or the new file.
//! - Nothing else may be relied upon. A renamed file whose bytes were not synced may come back empty.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{fmt, io};

use crate::directory::Directory;

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A block device.
    BlockDevice,
    /// A FIFO.
    Fifo,
    /// A symbolic link that was not followed.
    Symlink,
    /// Anything else: character device, socket.
    Other,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "a regular file",
            Self::Directory => "a directory",
            Self::BlockDevice => "a block device",
            Self::Fifo => "a FIFO",
            Self::Symlink => "a symbolic link",
            Self::Other => "a character device or socket",
        })
    }
}

/// What is known of a path without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// What it is; links are followed unless said otherwise.
    pub kind: FileKind,
    /// Length in bytes; for a block device the size of the device.
    pub len: u64,
    /// Time of the last change of the content.
    pub modified: SystemTime,
    /// Unix permission bits, 0o7777.
    pub mode: u32,
    /// Unix user and group, where the system has them.
    pub owner: Option<Owner>,
}

/// The Unix user and group a file belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// User id.
    pub user: u32,
    /// Group id.
    pub group: u32,
}

/// A tree of files. Paths are used as given.
pub trait Disk: Send + Sync {
    /// Opens an existing file or device for reading, or a directory for [`DiskFile::sync_fs`]. Waits for a
    /// writer if it is a FIFO.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Holds a directory open, to change what is in it.
    fn open_dir(&self, path: &Path) -> io::Result<Box<dyn Directory>>;

    /// Opens for reading what `path` itself names: fails if that is a symbolic link, and never waits,
    /// whatever it is.
    fn open_nofollow(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// The bytes of a regular file that `path` itself names, `len_max` at most, if all of that is in memory:
    /// never waits for a disk. `None` if it is not, and where the system cannot say; then nothing is known.
    fn read_cached(&self, _path: &Path, _len_max: u64) -> Option<Vec<u8>> {
        None
    }

    /// Opens an existing file or device for reading and writing, or creates a file (0666 less umask).
    fn open_or_create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Creates a file that must not exist yet, for reading and writing, with `mode` less umask.
    fn create_new(&self, path: &Path, mode: u32) -> io::Result<Box<dyn DiskFile>>;

    /// Renames a file over whatever file has the new name. Atomic.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Creates a directory (0777 less umask); `false` if it exists.
    fn create_dir(&self, path: &Path) -> io::Result<bool>;

    /// The paths in a directory, `max` at most, in no order, and what each is, links not followed. Costs nothing
    /// for each entry where the directory itself tells.
    fn read_dir(&self, path: &Path, max: usize) -> io::Result<Vec<(PathBuf, FileKind)>>;

    /// What a path names, links followed; `None` if nothing.
    fn metadata(&self, path: &Path) -> io::Result<Option<Metadata>>;

    /// What a path names, a link not followed; `None` if nothing.
    fn symlink_metadata(&self, path: &Path) -> io::Result<Option<Metadata>>;

    /// What a symbolic link points to, as it stands there.
    fn read_link(&self, path: &Path) -> io::Result<PathBuf>;

    /// Sets the time of the last change to now. A link is not followed.
    fn touch(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
}

/// An open file or block device. All offsets and lengths are in bytes; calls may come from many threads.
pub trait DiskFile: Send + Sync {
    /// What it is.
    fn kind(&self) -> FileKind;

    /// Its length now; for a block device the size of the device.
    fn len(&self) -> io::Result<u64>;

    /// Whether nothing is in it.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// The block size reflinks and holes must align to: `st_blksize`, 4096 if unknown.
    fn block_size(&self) -> u64;

    /// Fills `buf` from `offset` on; `UnexpectedEof` if the file ends before.
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;

    /// Replaces `bytes` by those of a file that is not longer than `len_max`; of a longer one, gives its length as an
    /// error within. After an error `bytes` may hold anything.
    fn read_all(&self, len_max: u64, bytes: &mut Vec<u8>) -> io::Result<Result<(), u64>> {
        let len = self.len()?;
        if len > len_max {
            return Ok(Err(len));
        }
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
        bytes.clear();
        bytes.try_reserve_exact(len)?;
        bytes.resize(len, 0);
        self.read_exact_at(bytes, 0)?;
        Ok(Ok(()))
    }

    /// Writes all of `bytes` at `offset`.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Cuts or extends the file; the new part reads as zeros and takes no space where the file system can.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes a range within the file read as zeros: a hole where the file system can make one, zeros written
    /// elsewhere.
    fn zero_range(&self, offset: u64, len: u64) -> io::Result<()>;

    /// The next range at or after `offset` that may hold data, as `start..end`; `None` if only a hole
    /// follows. Without support for holes: everything from `offset` to the end.
    fn next_data(&self, offset: u64) -> io::Result<Option<core::ops::Range<u64>>>;

    /// Shares `len` bytes of `source` from `source_offset` at `offset` of this file (a reflink), without
    /// copying; nothing to do for `len` 0. `false` if these two files cannot do that there; nothing has
    /// changed then.
    fn clone_range(
        &self,
        source: &dyn DiskFile,
        source_offset: u64,
        offset: u64,
        len: u64,
    ) -> io::Result<bool>;

    /// Makes the bytes and the length durable.
    fn sync(&self) -> io::Result<()>;

    /// Reads it from the beginning to the end; a FIFO until its last writer is gone.
    fn into_reader(self: Box<Self>) -> Box<dyn io::Read + Send>;

    /// Makes everything written so far to the file system that holds this file durable: bytes and names.
    /// Reports write-back failures since this file was opened. `Unsupported` where the system has no such
    /// call: sync each file and directory then.
    fn sync_fs(&self) -> io::Result<()>;

    /// Sets permission bits and, where permitted, the owner. If the owner stays another one, set-user-id and
    /// set-group-id bits are left out.
    fn set_access(&self, mode: u32, owner: Option<Owner>) -> io::Result<()>;

    /// The system's file behind it, where there is one.
    fn as_file(&self) -> Option<&File> {
        None
    }
}
