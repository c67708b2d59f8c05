//! Many files made durable and visible together, for the price of one sync.
//!
//! A writer leaves a complete temporary file here. Once enough have gathered, or at a flush, one thread syncs
//! the file system, renames them all, and moves on; the names become durable with the sync of the next batch
//! or of the flush. Meanwhile other threads fill the next batch, one batch ahead at most.
//!
//! Invariants
//! - A file has its final name only after its bytes were synced.
//! - When a flush returns, every file handed in before is durable under its final name, and so is every one
//!   that was found there before: a writer that was killed may have renamed it without syncing the name.
//! - A failed sync or rename is reported by the call that met it and by every later one: chunks that were
//!   accepted are lost, and nobody may publish an index over them.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use desync_core::ChunkId;
use desync_core::format::StorageForm;
use desync_files::{Directory, Disk, DiskFile};
use desync_store::{Operation, StoreError};

use crate::prefixes::{Prefix, Prefixes};

/// When a batch is full.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchLimits {
    pub(crate) files: usize,
    pub(crate) bytes: u64,
}

impl BatchLimits {
    pub(crate) const DEFAULT: Self = Self { files: 512, bytes: 64 << 20 };
}

/// Up to this many files or directories are synced one by one: syncing the file system would also wait for
/// what everybody else wrote.
const SINGLE_SYNCS_MAX: usize = 16;

/// A chunk in one of its forms: what its final name is made of.
pub(crate) type Key = (ChunkId, StorageForm);

/// A complete file that waits for its final name.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// Its name in the store until then.
    pub(crate) temporary: PathBuf,
    pub(crate) len: u64,
}

/// Files on their way to their final names.
pub(crate) struct Batches {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    directory: Arc<dyn Directory>,
    /// Open since before the first write, so that it hears of every failed write-back.
    root: Box<dyn DiskFile>,
    limits: BatchLimits,
    location: String,
    state: Mutex<State>,
    /// Held while a batch is made durable and visible.
    turn: Mutex<()>,
    /// Directories with names that are not durable yet: our own, and those that others made and somebody relies
    /// upon.
    unsynced: Prefixes,
    /// Whether names in the root of the store are not durable yet.
    root_unsynced: AtomicBool,
}

#[derive(Default)]
struct State {
    gathering: HashMap<Key, Waiting>,
    bytes: u64,
    committing: Arc<HashMap<Key, Waiting>>,
    failed: Option<StoreError>,
}

impl Batches {
    /// For the store at a path, whose directory is held.
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        path: PathBuf,
        directory: Arc<dyn Directory>,
        location: String,
        limits: BatchLimits,
    ) -> io::Result<Self> {
        Ok(Self {
            root: disk.open(&path)?,
            disk,
            path,
            directory,
            limits,
            location,
            state: Mutex::default(),
            turn: Mutex::default(),
            unsynced: Prefixes::new(),
            root_unsynced: AtomicBool::new(false),
        })
    }

    /// Notes that a directory in the root of the store is new, or may be.
    pub(crate) fn directory_created(&self) {
        self.root_unsynced.store(true, Ordering::Relaxed);
    }

    /// Notes that somebody will rely on a chunk that was found under its final name.
    pub(crate) fn rely_on(&self, id: &ChunkId) {
        self.unsynced.add(Prefix::of(id));
        self.directory_created();
    }

    /// Where in the store the bytes of a chunk are that has no final name yet.
    pub(crate) fn find(&self, key: &Key) -> Option<PathBuf> {
        let state = self.state();
        state.gathering.get(key).or_else(|| state.committing.get(key)).map(|file| file.temporary.clone())
    }

    /// Takes over a complete temporary file. If that fills the batch, makes it durable and visible.
    pub(crate) fn add(&self, key: Key, file: Waiting) -> Result<(), StoreError> {
        let replaced = {
            let mut state = self.state();
            state.bytes += file.len;
            let replaced = state.gathering.insert(key, file);
            state.bytes -= replaced.as_ref().map_or(0, |replaced| replaced.len);
            replaced
        };
        if let Some(replaced) = replaced {
            self.discard(&replaced);
        }
        if self.is_full(&self.state()) { self.commit(false) } else { self.check() }
    }

    /// Returns once every file taken over before is durable under its final name.
    pub(crate) fn flush(&self) -> Result<(), StoreError> {
        self.commit(true)
    }

    fn check(&self) -> Result<(), StoreError> {
        self.state().failed.clone().map_or(Ok(()), Err)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_full(&self, state: &State) -> bool {
        state.gathering.len() >= self.limits.files || state.bytes >= self.limits.bytes
    }

    /// Makes the gathered batch durable and visible, at a flush its names too.
    fn commit(&self, flush: bool) -> Result<(), StoreError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.check()?;
        let batch = {
            let mut state = self.state();
            // Somebody else may have taken the batch away while we waited.
            if !flush && !self.is_full(&state) {
                return Ok(());
            }
            state.bytes = 0;
            state.committing = Arc::new(std::mem::take(&mut state.gathering));
            Arc::clone(&state.committing)
        };
        let result = self.commit_batch(&batch).and_then(|()| if flush { self.sync_names() } else { Ok(()) });
        if result.is_err() {
            // Those renamed already are durable; removing them by their old names does nothing.
            batch.values().for_each(|file| self.discard(file));
        }
        let mut state = self.state();
        state.committing = Arc::default();
        state.failed = result.as_ref().err().cloned();
        result
    }

    fn commit_batch(&self, batch: &HashMap<Key, Waiting>) -> Result<(), StoreError> {
        self.sync_bytes(batch)?;
        for ((id, form), file) in batch {
            let target = form.path_of(id);
            let target = Path::new(target.as_str());
            self.directory.rename(&file.temporary, target).map_err(|error| self.error(target, &error))?;
            self.unsynced.add(Prefix::of(id));
        }
        Ok(())
    }

    fn sync_bytes(&self, batch: &HashMap<Key, Waiting>) -> Result<(), StoreError> {
        if batch.len() > SINGLE_SYNCS_MAX && self.sync_everything()? {
            return Ok(());
        }
        for file in batch.values() {
            let sync = || self.disk.open_nofollow(&self.path.join(&file.temporary))?.sync();
            sync().map_err(|error| self.error(&file.temporary, &error))?;
        }
        Ok(())
    }

    /// Makes the names in all directories touched or relied upon durable.
    fn sync_names(&self) -> Result<(), StoreError> {
        let unsynced = self.unsynced.take();
        if unsynced.len() > SINGLE_SYNCS_MAX && self.sync_everything()? {
            return Ok(());
        }
        let root = self.root_unsynced.swap(false, Ordering::Relaxed).then(PathBuf::new);
        for name in unsynced.into_iter().map(Prefix::name).chain(root) {
            self.disk.sync_dir(&self.path.join(&name)).map_err(|error| self.error(&name, &error))?;
        }
        Ok(())
    }

    /// Syncs the whole file system; `false` if there is no such call.
    fn sync_everything(&self) -> Result<bool, StoreError> {
        // Before the sync: what others add meanwhile may be too late for it.
        let (unsynced, root) = (self.unsynced.take(), self.root_unsynced.swap(false, Ordering::Relaxed));
        match self.root.sync_fs() {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                unsynced.into_iter().for_each(|prefix| self.unsynced.add(prefix));
                self.root_unsynced.fetch_or(root, Ordering::Relaxed);
                Ok(false)
            }
            Err(error) => Err(self.error(Path::new(""), &error)),
        }
    }

    /// What went wrong with a name in the store.
    fn error(&self, name: &Path, error: &io::Error) -> StoreError {
        let kind = StoreError::io(Operation::Flush, &self.location, error);
        StoreError { cause: format!("{}: {error}", self.path.join(name).display()), ..kind }
    }

    fn discard(&self, file: &Waiting) {
        // A file that cannot be removed is a leftover like that of a crash: prune takes it away.
        let _ = self.directory.remove_file(&file.temporary);
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        let gathering = std::mem::take(&mut self.state().gathering);
        gathering.values().for_each(|file| self.discard(file));
    }
}
