//! The blob of an index at random offsets, for many readers at once: what mounts are made of.
//!
//! `chunks` gives decoded chunks and keeps some of them, `copy_on_read` keeps all that was read in a file,
//! `ahead` decides how far in front of a reader to fetch, `workers` are the threads that may wait for a store.
//!
//! Invariants
//! - Every byte read is zero by the index or part of a chunk whose name was computed in this run (tests:
//!   `random_reads_are_right_or_fail`, `defect_14_a_file_of_unknown_content_is_not_believed`).
//! - A failure is never remembered: the next read asks the store again.
//! - Memory is bounded by [`BlobOptions::cache_len`], one chunk a worker and what readers hold.

mod ahead;
mod chunks;
mod copy_on_read;
mod state;
#[cfg(test)]
mod tests;
mod workers;

use core::ops::Range;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use desync_core::digest::HashKernel;
use desync_core::format::{ChunkEntry, Index};
use desync_core::plan::ZeroChunk;
use desync_store::{Bytes, ChunkStore};

use crate::{Cancel, Error};
pub use ahead::ReadAhead;
use chunks::Chunks;
pub use copy_on_read::CopyOnRead;
use workers::Workers;

/// How a blob is read.
#[derive(Clone, Copy, Debug)]
pub struct BlobOptions {
    /// Threads that fetch, and so requests in flight.
    pub workers: NonZeroUsize,
    /// Bytes of decoded chunks that are kept in memory.
    pub cache_len: u64,
    /// Names chunks that were fetched together.
    pub hash: HashKernel,
}

/// A blob that is read at random offsets.
pub struct Blob {
    index: Index,
    zero: ZeroChunk,
    chunks: Chunks,
    kept: Option<CopyOnRead>,
    workers: Workers,
    ahead_max: u64,
    options: BlobOptions,
}

/// Bytes of a blob: a part of one chunk, or joined from several.
#[derive(Clone, Debug)]
pub enum BlobBytes {
    /// These bytes of a chunk.
    Part(Bytes, Range<usize>),
    /// Bytes of their own.
    Joined(Vec<u8>),
}

impl AsRef<[u8]> for BlobBytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Part(chunk, range) => &chunk[range.clone()],
            Self::Joined(bytes) => bytes,
        }
    }
}

impl Blob {
    /// A blob whose chunks come from `store`, and from `kept`, where everything that is fetched goes.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if no thread can be started.
    pub fn new(
        index: Index,
        store: Arc<dyn ChunkStore>,
        kept: Option<CopyOnRead>,
        options: BlobOptions,
    ) -> Result<Arc<Self>, Error> {
        let average = index.header.sizes.avg();
        let ahead_max = ahead::most(average, options.workers, options.cache_len);
        Ok(Arc::new(Self {
            zero: ZeroChunk::of(&index.header),
            chunks: Chunks::new(store, index.header.digest(), options.hash, options.cache_len),
            kept,
            workers: Workers::start(options.workers)?,
            ahead_max,
            index,
            options,
        }))
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.index.blob_len()
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of `range`, as far as the blob goes, if nothing has to be fetched for them.
    #[must_use]
    pub fn read_now(&self, range: Range<u64>) -> Option<BlobBytes> {
        // What is kept in a file is read by a worker: it may have to be verified, and a disk may hang.
        if self.kept.is_some() {
            return None;
        }
        let range = self.clamped(range);
        self.collect(&range, |_, entry| self.chunks.cached(entry).ok_or(())).ok()
    }

    /// The bytes of `range`, as far as the blob goes. Waits for what has to be fetched; chunks that the range
    /// needs are fetched at once.
    ///
    /// # Errors
    /// The store's. Nothing is remembered of them: the next read tries again.
    pub fn read(self: &Arc<Self>, range: Range<u64>) -> Result<BlobBytes, Error> {
        let range = self.clamped(range);
        self.fetch_soon(self.positions(&range).skip(1));
        self.collect(&range, |position, entry| self.chunk(position, entry))
    }

    /// Notes that `reader` has asked for `range` and has what it will probably ask for next fetched.
    pub fn expect(self: &Arc<Self>, reader: &ReadAhead, range: Range<u64>) {
        let ahead = reader.observe(self.clamped(range), self.ahead_max);
        self.fetch_soon(self.positions(&self.clamped(ahead)));
    }

    /// Has the chunks of a range fetched that will be asked for soon.
    pub fn want(self: &Arc<Self>, range: Range<u64>) {
        self.fetch_soon(self.positions(&self.clamped(range)));
    }

    /// Runs `task` on a worker, before anything that is fetched ahead. For whatever may wait for the store.
    pub fn run(&self, task: impl FnOnce() + Send + 'static) {
        self.workers.run(Box::new(task));
    }

    /// Notes that the store was exchanged: workers that still wait for the old one are replaced.
    pub fn store_changed(&self) {
        self.workers.renew();
    }

    /// Writes down which chunks the copy-on-read file holds, if that has changed since it was last done.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn save_state(&self, path: &Path) -> Result<(), Error> {
        self.kept.as_ref().map_or(Ok(()), |kept| kept.save(path, &self.index))
    }

    /// Fetches the chunks at `positions` into the copy-on-read file, on `threads` threads of their own, and
    /// returns at once. What cannot be fetched is left to whoever reads it. Ends early when cancelled.
    pub fn preload(self: &Arc<Self>, positions: Vec<usize>, threads: NonZeroUsize, cancel: &Cancel) {
        let next = Arc::new((positions, AtomicUsize::new(0)));
        for _ in 0..threads.get().min(next.0.len()) {
            let (blob, next, cancel) = (Arc::downgrade(self), Arc::clone(&next), cancel.clone());
            let preload = move || {
                while let Some(position) = next.0.get(next.1.fetch_add(1, Ordering::Relaxed)) {
                    let Some(blob) = blob.upgrade().filter(|_| !cancel.is_cancelled()) else { break };
                    blob.fetch_now(&[*position]);
                }
            };
            // Preloading is a favour; whoever reads will fetch.
            if let Err(error) = std::thread::Builder::new().name("preload".into()).spawn(preload) {
                log::warn!("preloading with fewer threads: {error}");
                break;
            }
        }
    }

    fn clamped(&self, range: Range<u64>) -> Range<u64> {
        let end = range.end.min(self.len());
        range.start.min(end)..end
    }

    /// The positions in the index of the chunks that overlap `range`.
    fn positions(&self, range: &Range<u64>) -> impl Iterator<Item = usize> + use<> {
        let items = &self.index.items;
        let first = items.partition_point(|item| item.end <= range.start);
        let last = first + items[first..].partition_point(|item| item.end < range.end);
        let end = if range.is_empty() { first } else { last + 1 };
        first..end
    }

    /// The bytes of a range within the blob, chunk by chunk.
    fn collect<E>(
        &self,
        range: &Range<u64>,
        mut chunk: impl FnMut(usize, &ChunkEntry) -> Result<Bytes, E>,
    ) -> Result<BlobBytes, E> {
        let mut joined = Vec::new();
        for position in self.positions(range) {
            let Some(entry) = self.index.entry(position) else { break };
            let part = entry.start.max(range.start)..entry.end.min(range.end);
            if self.zero.is(&entry) {
                joined.resize(joined.len() + (part.end - part.start) as usize, 0);
                continue;
            }
            let bytes = chunk(position, &entry)?;
            let part = (part.start - entry.start) as usize..(part.end - entry.start) as usize;
            if part.len() as u64 == range.end - range.start {
                return Ok(BlobBytes::Part(bytes, part));
            }
            joined.extend_from_slice(&bytes[part]);
        }
        Ok(BlobBytes::Joined(joined))
    }

    /// A chunk from wherever it is.
    fn chunk(&self, position: usize, entry: &ChunkEntry) -> Result<Bytes, Error> {
        let Some(kept) = &self.kept else { return Ok(self.chunks.get(entry)?) };
        if let Some(bytes) = self.chunks.cached(entry).filter(|_| kept.has(position)) {
            return Ok(bytes);
        }
        if let Some(bytes) = kept.read(position, entry, self.index.header.digest()) {
            self.chunks.remember(entry, &bytes);
            return Ok(bytes);
        }
        let bytes = self.chunks.get(entry)?;
        kept.keep(position, entry, &bytes);
        Ok(bytes)
    }

    fn is_here(&self, position: usize, entry: &ChunkEntry) -> bool {
        self.zero.is(entry)
            || self.kept.as_ref().map_or_else(|| self.chunks.is_cached(entry), |kept| kept.has(position))
    }

    /// Has chunks fetched by workers that have nothing more urgent to do, each worker several together.
    fn fetch_soon(self: &Arc<Self>, positions: impl Iterator<Item = usize>) {
        let absent = |position: &usize| {
            self.index.entry(*position).is_some_and(|entry| !self.is_here(*position, &entry))
        };
        let positions: Vec<_> = positions.filter(absent).collect();
        let together = positions.len() / self.options.workers.get();
        for group in positions.chunks(together.clamp(1, self.options.hash.batch_len())) {
            let (blob, group) = (Arc::clone(self), group.to_vec());
            self.workers.run_later(Box::new(move || blob.fetch_now(&group)));
        }
    }

    fn fetch_now(&self, positions: &[usize]) {
        let entry = |position: usize| self.index.entry(position).map(|entry| (position, entry));
        let mut absent: Vec<_> = positions.iter().filter_map(|position| entry(*position)).collect();
        absent.retain(|(position, entry)| !self.is_here(*position, entry));
        let Some(kept) = &self.kept else {
            let entries: Vec<_> = absent.into_iter().map(|(_, entry)| entry).collect();
            return self.chunks.fetch_many(&entries, |_, _| ());
        };
        // What is in the file already need not be fetched.
        let digest = self.index.header.digest();
        absent.retain(|(position, entry)| kept.read(*position, entry, digest).is_none());
        let entries: Vec<_> = absent.iter().map(|(_, entry)| *entry).collect();
        self.chunks.fetch_many(&entries, |entry, bytes| {
            let same = absent.iter().filter(|(_, other)| other == entry);
            same.for_each(|(position, entry)| kept.keep(*position, entry, bytes));
        });
    }
}
