//! `chop`: the chunks of a blob into a store, by an index that is there already.

use std::collections::HashSet;
use std::path::Path;

use desync_core::format::{ChunkEntry, Index};
use desync_files::Disk;
use desync_store::{Chunk, ChunkStore};

use crate::pool::ordered;
use crate::ranges::Ranges;
use crate::{ChunkSet, Context, Error, Phase};

/// Chunks on their way for each worker.
const CHUNKS_PER_WORKER: usize = 2;

/// A chunk to do: each is checked, and the first of its ID is stored.
struct Job {
    entry: ChunkEntry,
    is_first: bool,
}

/// Reads every chunk of the index from the file, but for the `ignored` ones, and stores those that the store
/// lacks. When this returns they are durable. Progress counts chunks.
///
/// # Errors
/// [`Error::Mismatch`] if the file is not what the index says, the file's and the store's own, and
/// [`Error::Interrupted`]. Chunks stored before the error stay.
pub fn chop(
    index: &Index,
    ignored: &ChunkSet,
    disk: &dyn Disk,
    path: &Path,
    store: &dyn ChunkStore,
    context: &Context<'_>,
) -> Result<(), Error> {
    let ranges = Ranges::open(disk, path, index)?;
    context.progress.begin(Phase::Working, index.items.len() as u64);
    let mut seen = HashSet::new();
    let jobs = index
        .entries()
        .filter(|entry| {
            let wanted = !ignored.contains(&entry.id);
            if !wanted {
                context.progress.advance(1);
            }
            wanted
        })
        .map(|entry| Ok(Job { is_first: seen.insert(entry.id), entry }));
    let worker = || {
        let mut buffer = Vec::new();
        let ranges = &ranges;
        move |job: Job| match job.is_first {
            true => keep(ranges, &job.entry, store),
            false => ranges.check(&job.entry, &mut buffer),
        }
    };
    let in_flight_max = context.workers.get() * CHUNKS_PER_WORKER;
    ordered(context, in_flight_max, jobs, worker, |()| {
        context.progress.advance(1);
        Ok(())
    })?;
    context.cancel.check()?;
    store.flush()?;
    context.progress.end();
    Ok(())
}

fn keep(ranges: &Ranges, entry: &ChunkEntry, store: &dyn ChunkStore) -> Result<(), Error> {
    let chunk = ranges.read(entry)?;
    if !store.has(&entry.id)? {
        store.put(&Chunk::from_plain(chunk))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{chunk_files, directory_store, index_of, with_context};
    use desync_files::HostDisk;

    fn run(blob: &[u8], index: &Index, ignored: &ChunkSet, workers: usize) -> (Result<(), Error>, usize) {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("blob");
        std::fs::write(&path, blob).unwrap();
        let (store, directory) = directory_store(room.path());
        let result =
            with_context(workers, |context, _| chop(index, ignored, &HostDisk, &path, &store, context));
        drop(store);
        (result, chunk_files(&directory))
    }

    #[test]
    fn stores_each_chunk_once_but_ignored_ones() {
        let blob: Vec<u8> = (0..640u32).flat_map(u32::to_le_bytes).chain([7; 640]).collect();
        let index = index_of(&blob, 64);
        for workers in [1, 3, 10] {
            let (result, kept) = run(&blob, &index, &ChunkSet::default(), workers);
            result.unwrap();
            assert_eq!(kept, 41, "40 different chunks, and one ten times");
            let ignored: ChunkSet = index.items[..5].iter().map(|item| item.id).collect();
            let (result, kept) = run(&blob, &index, &ignored, workers);
            result.unwrap();
            assert_eq!(kept, 36);
        }
    }

    #[test]
    fn a_changed_file_is_an_error_even_where_the_chunk_is_known() {
        let blob = [7; 640];
        let index = index_of(&blob, 64);
        let mut changed = blob;
        changed[639] = 8;
        let (result, _) = run(&changed, &index, &ChunkSet::default(), 2);
        assert!(matches!(result, Err(Error::Mismatch { start: 576, .. })));
    }
}
