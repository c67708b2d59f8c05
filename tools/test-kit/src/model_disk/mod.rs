//! A disk in memory that forgets what was not synced.
//!
//! It keeps the contract of [`desync_files::disk`] to the letter and nothing beyond: at a power cut, every
//! unsynced write may be kept, lost, torn or leave zeros, each on its own, and every unsynced name may mean
//! anything it meant since its last sync. Operations that change something are counted, and the power can be
//! cut at any of them. Space can run out, and single operations can fail.

mod names;
mod node;
#[cfg(test)]
mod tests;
mod world;

use core::ops::Range;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use desync_files::{ByPath, Directory, Disk, DiskFile, FileKind, Metadata, Owner};

pub use world::Cut;
use world::{Change, NodeId, World};

/// The disk. Clones are the same disk.
#[derive(Clone, Default)]
pub struct ModelDisk(Arc<Mutex<World>>);

impl ModelDisk {
    /// An empty disk: only the root directory, `/`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many operations have changed something or tried to.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.world().operations()
    }

    /// Cuts the power at operation `number` from the beginning (the first is 0). That one fails, and so does
    /// every call after it.
    pub fn cut_power_at(&self, number: u64, cut: Cut) {
        self.world().cut_power_at(number, cut);
    }

    /// Has operation `number` fail with an I/O error, without effect. What a failed sync should have made
    /// durable never will be, as on Linux.
    pub fn fail_at(&self, number: u64) {
        self.world().fail_at(number);
    }

    /// Lets all files together hold this many bytes.
    pub fn limit_space(&self, bytes: u64) {
        self.world().limit_space(bytes);
    }

    /// Lets time pass for the disk's clock, which otherwise stands still.
    pub fn advance_clock(&self, by: Duration) {
        self.world().advance_clock(by);
    }

    /// The disk as it may come back after a power cut now. Another seed, another way to come back; the same
    /// seed, the same. Everything on it is durable.
    #[must_use]
    pub fn after_power_cut(&self, seed: u64) -> Self {
        Self(Arc::new(Mutex::new(self.world().after_power_cut(seed))))
    }

    /// The disk as the next process finds it if only the one that met the power cut was killed: everything
    /// written is there, and no more of it is durable than before.
    #[must_use]
    pub fn after_kill(&self) -> Self {
        Self(Arc::new(Mutex::new(self.world().after_kill())))
    }

    /// All files and what is in them now, by path.
    #[must_use]
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        self.world().files()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, node: NodeId, kind: FileKind) -> Box<dyn DiskFile> {
        Box::new(ModelFile { disk: self.clone(), node, kind })
    }
}

impl Disk for ModelDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let (node, kind) = self.world().find(path)?.ok_or(io::ErrorKind::NotFound)?;
        Ok(self.handle(node, kind))
    }

    fn open_dir(&self, path: &Path) -> io::Result<Box<dyn Directory>> {
        Ok(Box::new(ByPath::new(self.clone(), path)))
    }

    fn open_nofollow(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.open(path)
    }

    fn open_or_create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        if self.world().find(path)?.is_some() { self.open(path) } else { self.create_new(path, 0o666) }
    }

    fn create_new(&self, path: &Path, mode: u32) -> io::Result<Box<dyn DiskFile>> {
        let node = self.world().create(path, FileKind::File, mode & !0o022)?;
        Ok(self.handle(node, FileKind::File))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.world().rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.world().remove_file(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<bool> {
        let mut world = self.world();
        match world.find(path)? {
            Some((_, FileKind::Directory)) => Ok(false),
            Some(_) => Err(io::ErrorKind::AlreadyExists.into()),
            None => world.create(path, FileKind::Directory, 0o755).map(|_| true),
        }
    }

    fn read_dir(&self, path: &Path, max: usize) -> io::Result<Vec<(PathBuf, FileKind)>> {
        let mut entries = self.world().read_dir(path)?;
        entries.truncate(max);
        Ok(entries)
    }

    fn metadata(&self, path: &Path) -> io::Result<Option<Metadata>> {
        self.world().metadata(path)
    }

    fn symlink_metadata(&self, path: &Path) -> io::Result<Option<Metadata>> {
        self.metadata(path)
    }

    fn read_link(&self, _path: &Path) -> io::Result<PathBuf> {
        // There are no links on this disk.
        Err(io::ErrorKind::InvalidInput.into())
    }

    fn touch(&self, path: &Path) -> io::Result<()> {
        self.world().touch(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.world().sync_dir(path)
    }
}

/// An open file of a [`ModelDisk`]. Stays the same file when its name goes elsewhere.
struct ModelFile {
    disk: ModelDisk,
    node: NodeId,
    kind: FileKind,
}

impl DiskFile for ModelFile {
    fn kind(&self) -> FileKind {
        self.kind
    }

    fn len(&self) -> io::Result<u64> {
        self.disk.world().read(self.node, |bytes| bytes.len() as u64)
    }

    fn block_size(&self) -> u64 {
        4096
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.disk.world().read(self.node, |bytes| {
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            let found = bytes.get(start..).and_then(|bytes| bytes.get(..buf.len()));
            buf.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })?
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.disk.world().change(self.node, Change::Write { offset, bytes: bytes.to_vec() })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.world().change(self.node, Change::SetLen(len))
    }

    fn zero_range(&self, offset: u64, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::InvalidInput)?;
        self.disk.world().change(self.node, Change::Write { offset, bytes: vec![0; len] })
    }

    fn next_data(&self, offset: u64) -> io::Result<Option<Range<u64>>> {
        let len = self.len()?;
        Ok((offset < len).then_some(offset..len))
    }

    fn clone_range(&self, _: &dyn DiskFile, _: u64, _: u64, len: u64) -> io::Result<bool> {
        Ok(len == 0)
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.world().sync(self.node)
    }

    fn into_reader(self: Box<Self>) -> Box<dyn io::Read + Send> {
        let content = self.disk.world().read(self.node, <[u8]>::to_vec);
        match content {
            Ok(content) => Box::new(io::Cursor::new(content)),
            Err(error) => Box::new(FailingReader(Some(error))),
        }
    }

    fn sync_fs(&self) -> io::Result<()> {
        self.disk.world().sync_fs()
    }

    fn set_access(&self, mode: u32, _owner: Option<Owner>) -> io::Result<()> {
        self.disk.world().set_mode(self.node, mode)
    }
}

/// A reader that has only an error to give.
struct FailingReader(Option<io::Error>);

impl io::Read for FailingReader {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(self.0.take().unwrap_or_else(|| io::ErrorKind::Other.into()))
    }
}
