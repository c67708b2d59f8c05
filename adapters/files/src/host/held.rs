//! A directory held open: names are looked up from there, which takes the system a fraction of what a whole path does.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawMode, Stat};
use rustix::io::{Errno, retry_on_intr};

use super::family::touch_at;
use super::file::HostFile;
use crate::directory::Directory;
use crate::disk::{DiskFile, FileKind, Metadata, Owner};

pub(super) struct HeldDirectory(OwnedFd);

impl HeldDirectory {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(retry_on_intr(|| rustix::fs::openat(CWD, path, flags, Mode::empty()))?))
    }
}

impl Directory for HeldDirectory {
    fn create_new(&self, name: &Path, mode: u32) -> io::Result<Box<dyn DiskFile>> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(mode as RawMode);
        let file = retry_on_intr(|| rustix::fs::openat(&self.0, name, flags, mode))?;
        Ok(HostFile::created(File::from(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.0, from, &self.0, to)?)
    }

    fn remove_file(&self, name: &Path) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    fn create_dir(&self, name: &Path) -> io::Result<bool> {
        let all = Mode::RWXU | Mode::RWXG | Mode::RWXO;
        // A link to a directory is one, too; one that leads nowhere only exists.
        let found = || rustix::fs::statat(&self.0, name, AtFlags::empty());
        match rustix::fs::mkdirat(&self.0, name, all) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) if found().is_ok_and(|found| is_directory(&found)) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    fn symlink_metadata(&self, name: &Path) -> io::Result<Option<Metadata>> {
        match rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(Some(translate(&found))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    fn touch(&self, name: &Path) -> io::Result<()> {
        touch_at(&self.0, name)
    }

    fn is_at(&self, path: &Path) -> io::Result<bool> {
        let here = rustix::fs::fstat(&self.0)?;
        match rustix::fs::stat(path) {
            Ok(there) => Ok((here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }
}

#[allow(clippy::unnecessary_cast, reason = "types differ between systems")]
fn is_directory(found: &Stat) -> bool {
    FileType::from_raw_mode(found.st_mode as RawMode) == FileType::Directory
}

#[allow(clippy::unnecessary_cast, reason = "types differ between systems")]
fn translate(found: &Stat) -> Metadata {
    let kind = match FileType::from_raw_mode(found.st_mode as RawMode) {
        FileType::RegularFile => FileKind::File,
        FileType::Directory => FileKind::Directory,
        FileType::BlockDevice => FileKind::BlockDevice,
        FileType::Fifo => FileKind::Fifo,
        FileType::Symlink => FileKind::Symlink,
        _ => FileKind::Other,
    };
    let seconds = found.st_mtime as i64;
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let epoch = SystemTime::UNIX_EPOCH;
    let second = if seconds < 0 { epoch - whole } else { epoch + whole };
    Metadata {
        kind,
        len: found.st_size as u64,
        modified: second + Duration::from_nanos(found.st_mtime_nsec as u64),
        mode: found.st_mode as u32 & 0o7777,
        owner: Some(Owner { user: found.st_uid, group: found.st_gid }),
    }
}
