//! The same questions as `unix`, answered by Windows.
//!
//! Modes and owners are not there: files get the access that their directory gives. Directories cannot be
//! synced: the file system's journal keeps the order of renames, so that after a power cut a name means the old
//! file or the new one, but the last names may be missing.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::windows::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::SystemTime;

use super::HostDisk;
use crate::directory::{ByPath, Directory};
use crate::disk::{FileKind, Metadata, Owner};

/// Opens the link itself. Number: `winbase.h`, as the next.
const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
/// Opens directories, too.
const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;

/// Access bits of a new file, which the system does not have: read and write for all.
const MODE: u32 = 0o666;

pub(super) fn open_dir(path: &Path) -> io::Result<Box<dyn Directory>> {
    Ok(Box::new(ByPath::new(HostDisk, path)))
}

pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(path)
}

/// Without following a link; for writing, where that is permitted, since only then can it be synced.
pub(super) fn open_nofollow(path: &Path) -> io::Result<File> {
    let flags = FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS;
    let open = |write| OpenOptions::new().read(true).write(write).custom_flags(flags).open(path);
    let file = match open(true) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => open(false)?,
        opened => opened?,
    };
    if file.metadata()?.is_symlink() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "is a symbolic link"));
    }
    Ok(file)
}

pub(super) fn create_new(path: &Path, _mode: u32) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).open(path)
}

/// Sets the time of the last change to now.
pub(super) fn touch(path: &Path) -> io::Result<()> {
    open_nofollow(path)?.set_modified(SystemTime::now())
}

/// Cannot: see above.
pub(super) fn sync_dir(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Whether the directory is there; who may write in it is found out by writing.
pub(super) fn check_writable(directory: &Path) -> io::Result<()> {
    if fs::metadata(directory)?.is_dir() { Ok(()) } else { Err(io::ErrorKind::NotADirectory.into()) }
}

pub(super) fn translate(metadata: &fs::Metadata) -> io::Result<Metadata> {
    Ok(Metadata {
        kind: kind_of(metadata.file_type()),
        len: metadata.len(),
        modified: metadata.modified()?,
        mode: MODE,
        owner: None,
    })
}

pub(super) fn kind_of(kind: fs::FileType) -> FileKind {
    if kind.is_file() {
        FileKind::File
    } else if kind.is_dir() {
        FileKind::Directory
    } else if kind.is_symlink() {
        FileKind::Symlink
    } else {
        FileKind::Other
    }
}

/// The system does not say.
pub(super) fn block_size(_metadata: &fs::Metadata) -> u64 {
    0
}

pub(super) fn read_exact_at(file: &File, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buf.is_empty() {
        match file.seek_read(buf, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            len => {
                buf = &mut buf[len..];
                offset += len as u64;
            }
        }
    }
    Ok(())
}

/// Reads the first `len` bytes into `bytes`, which is empty and has room for them.
pub(super) fn read_start(file: &File, bytes: &mut Vec<u8>, len: usize) -> io::Result<()> {
    bytes.resize(len, 0);
    read_exact_at(file, bytes, 0)
}

pub(super) fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.seek_write(bytes, offset)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            len => {
                bytes = &bytes[len..];
                offset += len as u64;
            }
        }
    }
    Ok(())
}

/// There are neither modes nor owners.
pub(super) fn set_access(_file: &File, _mode: u32, _owner: Option<Owner>) -> io::Result<()> {
    Ok(())
}
