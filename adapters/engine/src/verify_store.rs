//! `verify`: is every chunk of a store what its name says?

use desync_core::chunk_source::{Wanted, WantedLen};
use desync_core::digest::HashKernel;
use desync_core::format::StorageForm;
use desync_core::{ChunkId, DigestKind, Limits};
use desync_store::{ChunkStore, ErrorKind, Opener, PrunableBackend, StoreError};

use crate::pool::Pool;
use crate::{Context, Error, Phase};

/// Batches on their way for each worker.
const BATCHES_PER_WORKER: usize = 2;

/// What is checked and how.
pub struct VerifyOptions<'a> {
    /// The store as chunks, best one that does not verify what it gives: that is done here, by each digest
    /// that may be right.
    pub store: &'a dyn ChunkStore,
    /// The same store as files.
    pub backend: &'a dyn PrunableBackend,
    /// The form of its chunks. Others are not looked at.
    pub form: StorageForm,
    /// The digests that may name them, at least one: a chunk is right if its name is that of its bytes by one
    /// of these.
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
    let mut take = |checked: Vec<Option<BadChunk>>| {
        stats.checked += checked.len() as u64;
        context.progress.advance(checked.len() as u64);
        for bad in checked.into_iter().flatten() {
            match bad.removal {
                Some(Ok(())) => stats.removed += 1,
                _ => stats.bad += 1,
            }
            report(&bad);
        }
    };
    let worker = || {
        let digests = options.digests.to_vec();
        let mut hand = Hand { options, hash: context.kernels.hash, opener: Opener::new(), digests };
        move |ids: Vec<ChunkId>| Ok(hand.check(&ids))
    };
    Pool::run(context, worker, |pool| {
        let in_flight_max = context.workers.get() * BATCHES_PER_WORKER;
        let batch_len = context.kernels.hash.batch_len();
        let mut batch = Vec::new();
        let mut failed = None;
        options.backend.list_ids(options.form, &mut |id| {
            while pool.in_flight() >= in_flight_max {
                match pool.recv() {
                    Ok((_, checked)) => take(checked),
                    Err(error) => {
                        failed = Some(error);
                        return Ok(false);
                    }
                }
            }
            batch.push(id);
            if batch.len() >= batch_len {
                pool.submit(std::mem::take(&mut batch));
            }
            Ok(!context.cancel.is_cancelled())
        })?;
        failed.map_or(Ok(()), Err)?;
        if !batch.is_empty() {
            pool.submit(batch);
        }
        while pool.in_flight() > 0 {
            take(pool.recv()?.1);
        }
        context.cancel.check()
    })?;
    context.progress.end();
    Ok(stats)
}

/// One worker's means to check chunks.
struct Hand<'a> {
    options: &'a VerifyOptions<'a>,
    hash: HashKernel,
    opener: Opener,
    /// The digests that may name a chunk, first that which named the last one.
    digests: Vec<DigestKind>,
}

impl Hand<'_> {
    /// Checks chunks side by side; for each `None` if it is right. Each is decoded as it is read, so that what was
    /// read is not kept beside what it decodes to.
    fn check(&mut self, ids: &[ChunkId]) -> Vec<Option<BadChunk>> {
        let opened = self.open(ids);
        let pairs = ids.iter().zip(opened).map(|(id, opened)| {
            let problem = opened.err()?;
            // What could not be read is told, whatever a second attempt would give.
            let may_be_right = problem.kind == ErrorKind::Invalid;
            (!may_be_right || !self.is_right_otherwise(id)).then(|| self.bad(*id, problem))
        });
        pairs.collect()
    }

    /// Opens chunks by the first digest.
    fn open(&self, ids: &[ChunkId]) -> Vec<Result<(), StoreError>> {
        let location = self.options.store.location();
        let mut opening = self.opener.together(self.hash, self.digests[0], &location);
        let mut read = Vec::with_capacity(ids.len());
        for id in ids {
            let wanted = self.wanted(id, self.digests[0]);
            read.push(self.options.store.get(&wanted).map(|chunk| opening.add(&chunk, &wanted)));
        }
        let mut opened = opening.finish().into_iter();
        let mut next = || opened.next().expect("each chunk that is read is opened");
        read.into_iter().map(|read| read.and_then(|()| next().map(drop))).collect()
    }

    /// Whether a chunk that the first digest does not name is named by another, which is tried first from then on:
    /// stores seldom have chunks of both.
    fn is_right_otherwise(&mut self, id: &ChunkId) -> bool {
        if self.digests.len() == 1 {
            return false;
        }
        // Of all, for the first may be another one since this chunk was opened by it.
        let other = (0..self.digests.len()).find(|&place| {
            let wanted = self.wanted(id, self.digests[place]);
            let read = self.options.store.get(&wanted);
            read.and_then(|chunk| self.opener.open(&chunk, &wanted, "")).is_ok()
        });
        other.inspect(|&place| self.digests.swap(0, place)).is_some()
    }

    fn wanted(&self, id: &ChunkId, digest: DigestKind) -> Wanted {
        Wanted { id: *id, digest, len: WantedLen::AtMost(Limits::HOST.chunk_len_max) }
    }

    fn bad(&self, id: ChunkId, problem: StoreError) -> BadChunk {
        let removable = self.options.repair && problem.kind == ErrorKind::Invalid;
        let removal = removable.then(|| self.options.backend.remove(&id, self.options.form));
        BadChunk { id, problem, removal }
    }
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

    #[test]
    fn chunks_of_either_digest_are_right_whichever_is_tried_first() {
        let blob: Vec<u8> = (0..640u32).flat_map(u32::to_le_bytes).collect();
        let (sha512, sha256) = blob.split_at(blob.len() / 3);
        let room = tempfile::tempdir().unwrap();
        let (store, _) = directory_store(room.path());
        fill(&store, sha512, &index_of(sha512, 64));
        let mut other = index_of(sha256, 64);
        other.header.flags = desync_core::format::FeatureFlags::casync_blob(DigestKind::Sha256);
        fill(&store, sha256, &other);
        for (digests, bad) in [
            (&[DigestKind::Sha512_256, DigestKind::Sha256][..], 0),
            (&[DigestKind::Sha256, DigestKind::Sha512_256], 0),
            (&[DigestKind::Sha256], 14),
        ] {
            let form = StorageForm::Compressed;
            let backend = store.backend();
            let options = VerifyOptions { store: &store, backend, form, digests, repair: false };
            let stats = with_context(1, |context, _| verify_store(&options, &mut |_| (), context)).unwrap();
            assert_eq!((stats.checked, stats.bad), (41, bad), "{digests:?}");
        }
    }

    #[test]
    fn what_could_not_be_read_is_told_though_it_could_be_later() {
        let blob: Vec<u8> = (0..640u32).flat_map(u32::to_le_bytes).collect();
        let room = tempfile::tempdir().unwrap();
        let (inner, _) = directory_store(room.path());
        fill(&inner, &blob, &index_of(&blob, 64));
        let has_failed = std::sync::atomic::AtomicBool::new(false);
        let get = |inner: &_, wanted: &Wanted| {
            if has_failed.swap(true, std::sync::atomic::Ordering::Relaxed) {
                return ChunkStore::get(inner, wanted);
            }
            let error = StoreError::new(ErrorKind::Transient, desync_store::Operation::Get, "store", "once");
            Err(error.on(&wanted.id))
        };
        let (backend, digests) = (inner.backend(), &[DigestKind::Sha512_256, DigestKind::Sha256][..]);
        let store = &crate::testing::Through { inner: &inner as &dyn ChunkStore, get };
        let options = VerifyOptions { store, backend, form: StorageForm::Compressed, digests, repair: true };
        let mut reported = Vec::new();
        let mut report = |bad: &BadChunk| reported.push(bad.problem.kind);
        let stats = with_context(1, |context, _| verify_store(&options, &mut report, context)).unwrap();
        assert_eq!((stats.bad, stats.removed, reported), (1, 0, vec![ErrorKind::Transient]));
    }
}
