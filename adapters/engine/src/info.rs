//! `info`: how much of an index is where.

use std::collections::HashMap;

use desync_core::ChunkId;
use desync_core::format::Index;
use desync_store::ChunkStore;

use crate::pool::ordered;
use crate::{ChunkSet, Context, Error};

/// Chunks on their way for each worker.
const CHUNKS_PER_WORKER: usize = 4;

/// Plain and compressed sizes of chunks, as `inspect-chunks` tells them. 0: not known.
pub type ChunkLengths = HashMap<ChunkId, ChunkLength>;

/// Sizes of one chunk in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkLength {
    /// Of its plain bytes.
    pub plain: u64,
    /// As a store keeps it; 0: not known.
    pub stored: u64,
}

/// Where chunks may be already.
#[derive(Clone, Copy)]
pub struct Whereabouts<'a> {
    /// Stores they can be fetched from.
    pub store: Option<&'a dyn ChunkStore>,
    /// A cache.
    pub cache: Option<&'a dyn ChunkStore>,
    /// The chunks of seeds.
    pub seeds: &'a ChunkSet,
    /// Stored sizes.
    pub lengths: &'a ChunkLengths,
}

/// Counts of an index: chunks, and bytes where a field says `len`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// Chunks in the index.
    pub total: u64,
    /// Different chunks. All below count each once.
    pub unique: u64,
    /// Those in the stores.
    pub in_store: u64,
    /// Those in a seed.
    pub in_seed: u64,
    /// Those in the cache.
    pub in_cache: u64,
    /// Those in neither seed nor cache.
    pub not_in_seed_nor_cache: u64,
    /// Length of the blob.
    pub blob_len: u64,
    /// Plain bytes in no seed.
    pub len_not_in_seed: u64,
    /// Plain bytes in neither seed nor cache.
    pub len_not_in_seed_nor_cache: u64,
    /// The same as stored; 0 unless the stored size of every such chunk is known.
    pub stored_len_not_in_seed_nor_cache: u64,
}

/// Looks every chunk of the index up.
///
/// # Errors
/// A store's own if it cannot tell, [`Error::Index`] if a known plain size differs from the index, and
/// [`Error::Interrupted`].
pub fn info(index: &Index, whereabouts: Whereabouts<'_>, context: &Context<'_>) -> Result<Info, Error> {
    let mut chunks: Vec<(ChunkId, u64)> = index.entries().map(|entry| (entry.id, entry.len())).collect();
    chunks.sort_unstable();
    chunks.dedup_by_key(|(id, _)| *id);
    let mut info = Info {
        total: index.items.len() as u64,
        unique: chunks.len() as u64,
        blob_len: index.blob_len(),
        ..Info::default()
    };
    let mut all_known = true;
    let worker = || {
        move |(id, len): (ChunkId, u64)| {
            let has = |store: Option<&dyn ChunkStore>| store.map_or(Ok(false), |store| store.has(&id));
            Ok((id, len, has(whereabouts.store)?, has(whereabouts.cache)?))
        }
    };
    let in_flight_max = context.workers.get() * CHUNKS_PER_WORKER;
    ordered(context, in_flight_max, chunks.into_iter().map(Ok), worker, |(id, len, in_store, in_cache)| {
        let in_seed = whereabouts.seeds.contains(&id);
        info.in_store += u64::from(in_store);
        info.in_cache += u64::from(in_cache);
        info.in_seed += u64::from(in_seed);
        if !in_seed {
            info.len_not_in_seed += len;
        }
        if !in_seed && !in_cache {
            let stored = stored_len(whereabouts.lengths, &id, len)?;
            info.not_in_seed_nor_cache += 1;
            info.len_not_in_seed_nor_cache += len;
            info.stored_len_not_in_seed_nor_cache += stored;
            all_known &= stored != 0;
        }
        Ok(())
    })?;
    context.cancel.check()?;
    if !all_known {
        info.stored_len_not_in_seed_nor_cache = 0;
    }
    Ok(info)
}

/// The stored size of a chunk; 0 if it is not known.
fn stored_len(lengths: &ChunkLengths, id: &ChunkId, len: u64) -> Result<u64, Error> {
    match lengths.get(id) {
        None => Ok(0),
        Some(known) if known.plain == len => Ok(known.stored),
        Some(known) => Err(Error::Unsupported(format!(
            "the chunks info file has an unexpected size for the chunk {id}: {} instead of {len}",
            known.plain
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{directory_store, fill, index_of, with_context};

    #[test]
    fn counts_each_chunk_once_where_it_is() {
        let blob: Vec<u8> = (0..160u32).flat_map(u32::to_le_bytes).chain([7; 128]).collect();
        let index = index_of(&blob, 64);
        let room = tempfile::tempdir().unwrap();
        let (store, _) = directory_store(room.path());
        fill(&store, &blob, &index);
        let seeds: ChunkSet = index.items[..4].iter().map(|item| item.id).collect();
        let known =
            |stored| index.items.iter().map(|item| (item.id, ChunkLength { plain: 64, stored })).collect();
        for (lengths, stored_len) in [(ChunkLengths::new(), 0), (known(10), 70), (known(0), 0)] {
            let whereabouts =
                Whereabouts { store: Some(&store), cache: None, seeds: &seeds, lengths: &lengths };
            let found = with_context(3, |context, _| info(&index, whereabouts, context)).unwrap();
            let expected = Info {
                total: 12,
                unique: 11,
                in_store: 11,
                in_seed: 4,
                in_cache: 0,
                not_in_seed_nor_cache: 7,
                blob_len: 768,
                len_not_in_seed: 7 * 64,
                len_not_in_seed_nor_cache: 7 * 64,
                stored_len_not_in_seed_nor_cache: stored_len,
            };
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_chunks_info_file_of_something_else_is_refused() {
        let index = index_of(b"abc", 64);
        let id = index.items[0].id;
        let lengths = ChunkLengths::from([(id, ChunkLength { plain: 4, stored: 1 })]);
        let seeds = ChunkSet::default();
        let whereabouts = Whereabouts { store: None, cache: None, seeds: &seeds, lengths: &lengths };
        let error = with_context(1, |context, _| info(&index, whereabouts, context)).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the chunks info file has an unexpected size for the chunk {id}: 4 instead of 3")
        );
    }
}
