//! Files as all Unix systems know them: modes, owners, FIFOs, devices. `windows` answers the same questions.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{
    FileExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::Path;

use rustix::buffer::spare_capacity;
use rustix::fs::{Access, AtFlags, CWD, OFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use rustix::io::Errno;

use super::held::HeldDirectory;
use crate::directory::Directory;
use crate::disk::{FileKind, Metadata, Owner};

pub(super) fn open_dir(path: &Path) -> io::Result<Box<dyn Directory>> {
    Ok(Box::new(HeldDirectory::open(path)?))
}

pub(super) fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Without following a link.
pub(super) fn open_nofollow(path: &Path) -> io::Result<File> {
    // Without NONBLOCK a FIFO in the place of a file would make us wait for its writer.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

pub(super) fn create_new(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(path)
}

/// Sets the time of the last change to now, of a link itself.
pub(super) fn touch(path: &Path) -> io::Result<()> {
    touch_at(CWD, path)
}

/// The same for a name in an open directory.
pub(super) fn touch_at(directory: impl AsFd, name: &Path) -> io::Result<()> {
    let special = |nanoseconds| Timespec { tv_sec: 0, tv_nsec: nanoseconds };
    let times = Timestamps { last_access: special(UTIME_OMIT), last_modification: special(UTIME_NOW) };
    Ok(rustix::fs::utimensat(directory, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Whether files can be made in a directory, as far as permissions tell.
pub(super) fn check_writable(directory: &Path) -> io::Result<()> {
    Ok(rustix::fs::access(directory, Access::EXISTS | Access::WRITE_OK)?)
}

pub(super) fn translate(metadata: &fs::Metadata) -> io::Result<Metadata> {
    Ok(Metadata {
        kind: kind_of(metadata.file_type()),
        len: metadata.len(),
        modified: metadata.modified()?,
        mode: metadata.mode() & 0o7777,
        owner: Some(Owner { user: metadata.uid(), group: metadata.gid() }),
    })
}

pub(super) fn kind_of(kind: fs::FileType) -> FileKind {
    if kind.is_file() {
        FileKind::File
    } else if kind.is_dir() {
        FileKind::Directory
    } else if kind.is_block_device() {
        FileKind::BlockDevice
    } else if kind.is_fifo() {
        FileKind::Fifo
    } else if kind.is_symlink() {
        FileKind::Symlink
    } else {
        FileKind::Other
    }
}

/// 0 where the system does not say.
pub(super) fn block_size(metadata: &fs::Metadata) -> u64 {
    metadata.blksize()
}

pub(super) fn read_exact_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<()> {
    file.read_exact_at(buf, offset)
}

/// Reads the first `len` bytes into the room of `bytes`, which is empty, without clearing it before.
pub(super) fn read_start(file: &File, bytes: &mut Vec<u8>, len: usize) -> io::Result<()> {
    while bytes.len() < len {
        let offset = bytes.len() as u64;
        match rustix::io::pread(file, spare_capacity(bytes), offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    // The file may have grown, and the room may be larger than was asked for.
    bytes.truncate(len);
    Ok(())
}

pub(super) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    file.write_all_at(bytes, offset)
}

pub(super) fn set_access(file: &File, mode: u32, owner: Option<Owner>) -> io::Result<()> {
    let mut mode = mode & 0o7777;
    if let Some(owner) = owner {
        match std::os::unix::fs::fchown(file, Some(owner.user), Some(owner.group)) {
            // Only root may give files away. Whoever runs a set-user-id file must not become us instead.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => mode &= 0o777,
            other => other?,
        }
    }
    file.set_permissions(Permissions::from_mode(mode))
}
