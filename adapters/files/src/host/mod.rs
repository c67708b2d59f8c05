//! The host's own files: [`Disk`] over the standard library and, through `system`, what only the kernel can.
//!
//! Every descriptor is close-on-exec, and interrupted calls are repeated. Nothing here remembers anything:
//! a [`HostDisk`] is a word for "the machine we run on".

mod file;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod system;
#[cfg(not(target_os = "linux"))]
#[path = "portable.rs"]
mod system;
#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, OFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};

use crate::disk::{Disk, DiskFile, FileKind, Metadata, Owner};
use file::HostFile;

/// The files of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostDisk;

impl Disk for HostDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        HostFile::boxed(File::open(path)?)
    }

    fn open_nofollow(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        // Without NONBLOCK a FIFO in the place of a file would make us wait for its writer.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        HostFile::boxed(OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?)
    }

    fn open_or_create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        HostFile::boxed(OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?)
    }

    fn create_new(&self, path: &Path, mode: u32) -> io::Result<Box<dyn DiskFile>> {
        HostFile::boxed(OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(path)?)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            other => other,
        }
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<(PathBuf, FileKind)>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
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
        let special = |nanoseconds| Timespec { tv_sec: 0, tv_nsec: nanoseconds };
        let times = Timestamps { last_access: special(UTIME_OMIT), last_modification: special(UTIME_NOW) };
        Ok(rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
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

fn translate(metadata: &fs::Metadata) -> io::Result<Metadata> {
    Ok(Metadata {
        kind: kind_of(metadata.file_type()),
        len: metadata.len(),
        modified: metadata.modified()?,
        mode: metadata.mode() & 0o7777,
        owner: Some(Owner { user: metadata.uid(), group: metadata.gid() }),
    })
}

fn kind_of(kind: fs::FileType) -> FileKind {
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
