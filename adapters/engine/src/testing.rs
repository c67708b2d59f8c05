//! What the tests of the pipelines share: small indexes, stores in temporary directories, a context.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use desync_core::chunk_source::{Wanted, WantedLen};
use desync_core::chunking::{ChunkSizes, Kernel};
use desync_core::digest::HashKernel;
use desync_core::format::{FeatureFlags, Index, IndexHeader, IndexItem};
use desync_core::{DigestKind, Limits, VerifiedChunk};
use desync_files::{Durability, HostDisk};
use desync_store::{Chunk, ChunkStore, FormatOptions, FormattedStore};
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
