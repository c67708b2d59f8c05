//! A sparse local file as long as the blob, into which every chunk goes that is read.
//!
//! What an earlier run wrote into it is a claim until this run has read and named it: the file may have lost
//! bytes in a power cut, or may belong to another index. So the state file is only a hint, and a wrong one
//! costs a read. Chunks of zeros are neither written nor read: the file is a hole there.

use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use desync_core::format::{ChunkEntry, Index};
use desync_core::{DigestKind, VerifiedChunk};
use desync_files::{Disk, DiskFile, Durability, FileKind, Publication};
use desync_store::Bytes;

use super::state;
use crate::Error;

/// What is known of a chunk's place in the file.
const ABSENT: u8 = 0;
/// An earlier run says that the chunk is there.
const CLAIMED: u8 = 1;
/// The chunk was written or verified in this run.
const PRESENT: u8 = 2;

/// The file and what is known of it.
pub struct CopyOnRead {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    file: Box<dyn DiskFile>,
    places: Vec<AtomicU8>,
    /// Whether something was written that no state file tells of.
    unsaved: AtomicBool,
}

impl CopyOnRead {
    /// Opens or creates the file. If it is as long as the blob and `state` names a state file of this index, what
    /// that says is there is looked for there; otherwise the file is emptied.
    ///
    /// # Errors
    /// [`Error::File`]; [`Error::Unsupported`] if `path` is no regular file.
    pub fn open(
        disk: Arc<dyn Disk>,
        path: &Path,
        index: &Index,
        state: Option<&Path>,
    ) -> Result<Self, Error> {
        let file = disk.open_or_create(path).map_err(Error::file("open", path))?;
        if file.kind() != FileKind::File {
            return Err(Error::Unsupported(format!("{}: is {}", path.display(), file.kind())));
        }
        let len = file.len().map_err(Error::file("read", path))?;
        let claimed =
            state.filter(|_| len == index.blob_len()).and_then(|state| claims(&*disk, state, index));
        if claimed.is_none() {
            // Emptied first: what it held must not be taken for zeros, nor for chunks.
            let emptied = file.set_len(0).and_then(|()| file.set_len(index.blob_len()));
            emptied.map_err(Error::file("resize", path))?;
        }
        let places: Vec<_> = index.items.iter().map(|_| AtomicU8::new(ABSENT)).collect();
        for position in claimed.unwrap_or_default() {
            places[position].store(CLAIMED, Ordering::Relaxed);
        }
        Ok(Self { disk, path: path.to_owned(), file, places, unsaved: AtomicBool::new(true) })
    }

    /// Whether every chunk has to be fetched.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.places.iter().all(|place| place.load(Ordering::Relaxed) == ABSENT)
    }

    /// The chunks that a state file names, for preloading.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read or is not a state of this index.
    pub fn chunks_named_by(&self, state: &Path, index: &Index) -> Result<Vec<usize>, Error> {
        read_state(&*self.disk, state, index).map_err(Error::file("read", state))
    }

    /// Whether the chunk is there for certain.
    pub(super) fn has(&self, position: usize) -> bool {
        self.places[position].load(Ordering::Acquire) == PRESENT
    }

    /// The chunk, if it is there.
    pub(super) fn read(&self, position: usize, entry: &ChunkEntry, digest: DigestKind) -> Option<Bytes> {
        let place = self.places[position].load(Ordering::Acquire);
        if place == ABSENT {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(entry.len()).ok()?];
        let read = self.file.read_exact_at(&mut bytes, entry.start);
        let chunk = read.map_err(|error| error.to_string()).and_then(|()| {
            // Also what was written in this run: somebody else may write to the file, and disks forget.
            VerifiedChunk::check(digest, entry.id, Bytes::from(bytes)).map_err(|error| error.to_string())
        });
        match chunk {
            Ok(chunk) => {
                self.places[position].store(PRESENT, Ordering::Release);
                Some(chunk.into_bytes())
            }
            Err(error) => {
                if place == PRESENT {
                    log::warn!("{}: a chunk is fetched again: {error}", self.path.display());
                }
                self.places[position].store(ABSENT, Ordering::Release);
                None
            }
        }
    }

    /// Puts a verified chunk into its place. A file that cannot be written costs fetching again, not the read.
    pub(super) fn keep(&self, position: usize, entry: &ChunkEntry, bytes: &[u8]) {
        debug_assert_eq!(bytes.len() as u64, entry.len(), "a chunk must not overwrite its neighbours");
        match self.file.write_all_at(bytes, entry.start) {
            Ok(()) => {
                self.places[position].store(PRESENT, Ordering::Release);
                self.unsaved.store(true, Ordering::Release);
            }
            Err(error) => log::warn!("write {}: {error}; what is read is not kept", self.path.display()),
        }
    }

    /// Replaces the state file by one that tells what is there now, if there is anything new to tell.
    pub(super) fn save(&self, path: &Path, index: &Index) -> Result<(), Error> {
        if !self.unsaved.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let has = |position: usize| self.places[position].load(Ordering::Acquire) != ABSENT;
        let saved = self.publish(path, |out| state::write(index, has, out));
        if saved.is_err() {
            self.unsaved.store(true, Ordering::Release);
        }
        saved.map_err(Error::file("write", path))
    }

    fn publish(
        &self,
        path: &Path,
        write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let disk = Arc::clone(&self.disk);
        let publication = Publication::create(disk, path, OsStr::new(".desync-state."), Durability::Sync)?;
        let mut writer = publication.into_writer();
        write(&mut writer)?;
        writer.flush()?;
        writer.publish()
    }
}

/// What a state file that may not be there says.
fn claims(disk: &dyn Disk, state: &Path, index: &Index) -> Option<Vec<usize>> {
    match read_state(disk, state, index) {
        Ok(positions) => Some(positions),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            log::warn!("{}: {error}; the copy-on-read file is filled anew", state.display());
            None
        }
    }
}

fn read_state(disk: &dyn Disk, path: &Path, index: &Index) -> io::Result<Vec<usize>> {
    state::read(index, disk.open(path)?.into_reader())
}
