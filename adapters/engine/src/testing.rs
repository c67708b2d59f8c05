//! What the tests of the pipelines share: small indexes, stores in temporary directories, a context.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use desync_core::chunk_source::{Wanted, WantedLen};
use desync_core::chunking::{ChunkSizes, Kernel};
use desync_core::digest::HashKernel;
use desync_core::format::{FeatureFlags, Index, IndexHeader, IndexItem};
use desync_core::{ChunkId, DigestKind, Limits, VerifiedChunk};
use desync_files::{Durability, HostDisk};
use desync_store::{Chunk, ChunkStore, FormatOptions, FormattedStore, StoreError};
use desync_store_directory::DirectoryStore;

use crate::{Cancel, Context, Kernels, NoProgress};

/// Slow, but hands over batches as wide registers ask for them.
pub(crate) const EIGHT: HashKernel = HashKernel::new("eight", 8, |digest, chunks, ids| {
    ids.copy_from_slice(&HashKernel::REFERENCE.ids_of(digest, chunks));
});

/// An index of `blob` with chunks of `len` bytes each.
pub(crate) fn index_of(blob: &[u8], len: usize) -> Index {
    let sizes = ChunkSizes::new(len as u64, len as u64, len as u64, &Limits::HOST).unwrap();
    let mut end = 0;
    let items = blob.chunks(len).map(|chunk| {
        end += chunk.len() as u64;
        IndexItem { end, id: DigestKind::Sha512_256.id_of(chunk) }
    });
    Index { header: IndexHeader { flags: FeatureFlags::SHA512_256, sizes }, items: items.collect() }
}

/// Every chunk of an index.
pub(crate) fn wanted_of(index: &Index) -> Vec<Wanted> {
    let digest = index.header.digest();
    index
        .entries()
        .map(|entry| Wanted { id: entry.id, digest, len: WantedLen::Exactly(entry.len()) })
        .collect()
}

/// A new store in `room`, and its directory.
pub(crate) fn directory_store(room: &Path) -> (FormattedStore<DirectoryStore>, PathBuf) {
    store_of_form(room, FormatOptions::default())
}

/// The same of another form.
pub(crate) fn store_of_form(room: &Path, form: FormatOptions) -> (FormattedStore<DirectoryStore>, PathBuf) {
    let directory = room.join("store");
    std::fs::create_dir(&directory).unwrap();
    let disk = std::sync::Arc::new(HostDisk);
    let backend = DirectoryStore::open(disk, &directory, Durability::NoSync).unwrap();
    (FormattedStore::new(backend, form), directory)
}

/// Puts every chunk of `blob` into a store.
pub(crate) fn fill(store: &dyn ChunkStore, blob: &[u8], index: &Index) {
    for entry in index.entries() {
        let bytes = &blob[entry.start as usize..entry.end as usize];
        store.put(&Chunk::from_plain(VerifiedChunk::name(index.header.digest(), bytes.into()))).unwrap();
    }
    store.flush().unwrap();
}

/// A store whose answers go through what a test has to say about them.
pub(crate) struct Through<S, G> {
    /// What has the chunks.
    pub(crate) inner: S,
    /// What gives one.
    pub(crate) get: G,
}

impl<S, G> ChunkStore for Through<S, G>
where
    S: ChunkStore,
    G: Fn(&S, &Wanted) -> Result<Chunk, StoreError> + Send + Sync,
{
    fn location(&self) -> String {
        self.inner.location()
    }
    fn get(&self, wanted: &Wanted) -> Result<Chunk, StoreError> {
        (self.get)(&self.inner, wanted)
    }
    fn has(&self, id: &ChunkId) -> Result<bool, StoreError> {
        self.inner.has(id)
    }
    fn put(&self, chunk: &Chunk) -> Result<(), StoreError> {
        self.inner.put(chunk)
    }
    fn flush(&self) -> Result<(), StoreError> {
        self.inner.flush()
    }
}

/// A count that threads wait for.
#[derive(Default)]
pub(crate) struct Count {
    reached: Mutex<usize>,
    changed: Condvar,
}

impl Count {
    /// Counts one more; returns how many there are now.
    pub(crate) fn add(&self) -> usize {
        let mut reached = self.reached.lock().unwrap();
        *reached += 1;
        self.changed.notify_all();
        *reached
    }

    /// Waits until there are so many.
    ///
    /// # Panics
    /// If that takes too long, saying why they were expected.
    pub(crate) fn wait_for(&self, count: usize, why: &str) {
        let reached = self.reached.lock().unwrap();
        let fewer = |reached: &mut usize| *reached < count;
        let (reached, waited) =
            self.changed.wait_timeout_while(reached, Duration::from_secs(30), fewer).unwrap();
        assert!(!waited.timed_out(), "{why}: {reached} of {count}");
    }
}

/// How many files are below `directory`.
pub(crate) fn chunk_files(directory: &Path) -> usize {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { chunk_files(&path) } else { 1 }).sum()
}

/// Runs `body` with this many workers and a switch to cancel it.
pub(crate) fn with_context<T>(workers: usize, body: impl FnOnce(&Context<'_>, &Cancel) -> T) -> T {
    let cancel = Cancel::default();
    let workers = NonZeroUsize::new(workers).unwrap();
    let kernels = Kernels { scan: Kernel::SCALAR, hash: EIGHT };
    body(&Context { workers, progress: &NoProgress, cancel: &cancel, kernels }, &cancel)
}
