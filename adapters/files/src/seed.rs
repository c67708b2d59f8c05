//! A seed: a file or block device that is only read.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use desync_core::block_io::BlockRead;

use crate::disk::{Disk, DiskFile, FileKind};

/// After so many refusals in a row to share storage, nobody asks any more: two file systems that cannot share
/// say so each time, at the price of a call for each step.
const REFUSALS_MAX: u32 = 8;

/// A handle on a seed. Clones are cheap, one for each thread.
#[derive(Clone)]
pub struct Seed {
    file: Arc<dyn DiskFile>,
    path: Arc<PathBuf>,
    len: u64,
    /// Refusals to share storage since it was shared last.
    refusals: Arc<AtomicU32>,
}

impl Seed {
    /// Opens a regular file or block device.
    ///
    /// # Errors
    /// The system's own; `InvalidInput` for anything that cannot be read at any offset.
    pub fn open(disk: &dyn Disk, path: &Path) -> io::Result<Self> {
        // Looked at first, because opening a FIFO would wait.
        let found = disk.metadata(path)?.ok_or(io::ErrorKind::NotFound)?;
        if !matches!(found.kind, FileKind::File | FileKind::BlockDevice) {
            let cause = format!("{} cannot be a seed", found.kind);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, cause));
        }
        let file: Arc<dyn DiskFile> = disk.open(path)?.into();
        Ok(Self { len: file.len()?, file, path: Arc::new(path.to_owned()), refusals: Arc::default() })
    }

    /// Shares a range of it with `target`; `false` if these two cannot share there. Nothing has changed then.
    pub(crate) fn clone_to(
        &self,
        target: &dyn DiskFile,
        source_offset: u64,
        offset: u64,
        len: u64,
    ) -> io::Result<bool> {
        if self.refusals.load(Ordering::Relaxed) >= REFUSALS_MAX {
            return Ok(false);
        }
        let shared = target.clone_range(&*self.file, source_offset, offset, len)?;
        if shared {
            self.refusals.store(0, Ordering::Relaxed);
        } else {
            self.refusals.fetch_add(1, Ordering::Relaxed);
        }
        Ok(shared)
    }

    /// The open file.
    #[must_use]
    pub fn file(&self) -> &Arc<dyn DiskFile> {
        &self.file
    }

    /// The path it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its length in bytes when it was opened.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing was in it when it was opened.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl BlockRead for Seed {
    type Error = io::Error;

    fn read(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buf, offset)
    }
}
