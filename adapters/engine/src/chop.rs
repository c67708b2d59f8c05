//! `chop`: the chunks of a blob into a store, by an index that is there already.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use desync_core::VerifiedChunk;
use desync_core::format::Index;
use desync_files::Disk;
use desync_store::{ChunkStore, WriteOnce};

use crate::compare::{Comparison, compare_and_keep};
use crate::ranges::Ranges;
use crate::{ChunkSet, Context, Error, Phase};

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
    let ranges = Ranges::open(disk, path)?;
    let progress = context.progress;
    progress.begin(Phase::Working, index.items.len() as u64);
    progress.advance(index.items.iter().filter(|item| ignored.contains(&item.id)).count() as u64);
    let store = WriteOnce::new(store);
    let (null_len, null_kept) = (index.header.sizes.max(), AtomicBool::new(false));
    let keep = |chunk: Option<VerifiedChunk<&[u8]>>| {
        match chunk {
            Some(chunk) => store.keep(chunk)?,
            None if null_kept.swap(true, Ordering::Relaxed) => false,
            None => {
                let zeros = vec![0; null_len as usize];
                store.keep(VerifiedChunk::name(index.header.digest(), &zeros))?
            }
        };
        Ok(())
    };
    let comparison = Comparison { index, file: ranges.file(), path };
    compare_and_keep(comparison, ignored, &keep, context, |_, entry, found| {
        if found != entry.id {
            return Err(Error::mismatch(path, entry, found));
        }
        progress.advance(1);
        Ok(())
    })?;
    context.cancel.check()?;
    store.flush()?;
    progress.end();
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
