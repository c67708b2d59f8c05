//! `verify`: is every chunk of a store what its name says?

use desync_core::chunk_source::{Wanted, WantedLen};
use desync_core::format::StorageForm;
use desync_core::{ChunkId, DigestKind, Limits};
use desync_store::{ChunkStore, ErrorKind, Listed, PrunableBackend, StoreError};

use crate::pool::Pool;
use crate::{Context, Error, Phase};

/// Chunks on their way for each worker.
const CHUNKS_PER_WORKER: usize = 4;

/// What is checked and how.
pub struct VerifyOptions<'a> {
    /// The store as chunks. It must verify what it gives: the options of the user's config do not count.
    pub store: &'a dyn ChunkStore,
    /// The same store as files.
    pub backend: &'a dyn PrunableBackend,
    /// The form of its chunks. Others are not looked at.
    pub form: StorageForm,
    /// The digests that may name them: a chunk is right if its name is that of its bytes by one of these.
    pub digests: &'a [DigestKind],
    /// Whether chunks that are not what their name says are removed.
    pub repair: bool,
}

/// A chunk that could not be verified.
#[derive(Debug)]
pub struct BadChunk {
    /// Its name.
    pub id: ChunkId,
    /// What is wrong: of kind [`ErrorKind::Invalid`] if it was read and is not what its name says.
    pub problem: StoreError,
    /// Whether it was removed, if that was to be tried.
    pub removal: Option<Result<(), StoreError>>,
}

/// What became of a store's chunks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerifyStats {
    /// Chunks looked at.
    pub checked: u64,
    /// Chunks that are bad or could not be read, and are still there.
    pub bad: u64,
    /// Chunks that were bad and were removed.
    pub removed: u64,
}

/// Reads every chunk of a store and calls `report` for each bad one.
///
/// # Errors
/// If the store cannot be listed, and [`Error::Interrupted`]. Bad chunks are no error here.
pub fn verify_store(
    options: &VerifyOptions<'_>,
    report: &mut dyn FnMut(&BadChunk),
    context: &Context<'_>,
) -> Result<VerifyStats, Error> {
    let mut stats = VerifyStats::default();
    context.progress.begin(Phase::Verifying, 0);
    let mut take = |bad: Option<BadChunk>| {
        stats.checked += 1;
        context.progress.advance(1);
        if let Some(bad) = bad {
            match bad.removal {
                Some(Ok(())) => stats.removed += 1,
                _ => stats.bad += 1,
            }
            report(&bad);
        }
    };
    let worker = || |id: ChunkId| Ok(check(options, &id));
    Pool::run(context, worker, |pool| {
        let in_flight_max = context.workers.get() * CHUNKS_PER_WORKER;
        let mut failed = None;
        options.backend.list(options.form, &mut |listed: Listed| {
            while pool.in_flight() >= in_flight_max {
                match pool.recv() {
                    Ok((_, bad)) => take(bad),
                    Err(error) => {
                        failed = Some(error);
                        return Ok(false);
                    }
                }
            }
            pool.submit(listed.id);
            Ok(!context.cancel.is_cancelled())
        })?;
        failed.map_or(Ok(()), Err)?;
        while pool.in_flight() > 0 {
            take(pool.recv()?.1);
        }
        context.cancel.check()
    })?;
    context.progress.end();
    Ok(stats)
}

/// Checks one chunk; `None` if it is right.
fn check(options: &VerifyOptions<'_>, id: &ChunkId) -> Option<BadChunk> {
    let problem = problem(options, id)?;
    let removable = options.repair && problem.kind == ErrorKind::Invalid;
    let removal = removable.then(|| options.backend.remove(id, options.form));
    Some(BadChunk { id: *id, problem, removal })
}

/// What is wrong with a chunk by the first digest; `None` if it is right by any.
fn problem(options: &VerifyOptions<'_>, id: &ChunkId) -> Option<StoreError> {
    let len = WantedLen::AtMost(Limits::HOST.chunk_len_max);
    let mut first = None;
    for &digest in options.digests {
        match options.store.get(&Wanted { id: *id, digest, len }) {
            Ok(_) => return None,
            Err(problem) if problem.kind == ErrorKind::Invalid => first = first.or(Some(problem)),
            Err(problem) => return Some(problem),
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{chunk_files, directory_store, fill, index_of, with_context};

    #[test]
    fn finds_and_removes_exactly_the_bad_chunks() {
        let blob: Vec<u8> = (0..640u32).flat_map(u32::to_le_bytes).collect();
        let index = index_of(&blob, 64);
        for workers in [1, 2, 10] {
            let room = tempfile::tempdir().unwrap();
            let (store, directory) = directory_store(room.path());
            fill(&store, &blob, &index);
            let bad = [index.items[3].id, index.items[17].id];
            std::fs::write(directory.join(StorageForm::Compressed.path_of(&bad[0]).as_str()), b"").unwrap();
            let good = directory.join(StorageForm::Compressed.path_of(&index.items[0].id).as_str());
            std::fs::copy(good, directory.join(StorageForm::Compressed.path_of(&bad[1]).as_str())).unwrap();
            for (repair, found, left) in [(false, 2, 40), (true, 2, 38), (true, 0, 38)] {
                let options = VerifyOptions {
                    store: &store,
                    backend: store.backend(),
                    form: StorageForm::Compressed,
                    digests: &[DigestKind::Sha512_256],
                    repair,
                };
                let mut reported = Vec::new();
                let mut report = |bad: &BadChunk| reported.push(bad.id);
                let stats =
                    with_context(workers, |context, _| verify_store(&options, &mut report, context)).unwrap();
                assert_eq!(reported.len(), found, "{reported:?}");
                assert!(reported.iter().all(|id| bad.contains(id)));
                assert_eq!(stats.removed + stats.bad, found as u64);
                assert_eq!(chunk_files(&directory), left);
            }
        }
    }
}
