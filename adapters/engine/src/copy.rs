//! `cache`: chunks from one store into another, without building anything. They are verified side by side, and
//! kept as they came where both stores keep them in the same form.

use desync_core::chunk_source::Wanted;
use desync_core::digest::HashKernel;
use desync_store::{Chunk, ChunkStore, Opener};

use crate::pool::ordered;
use crate::{Cancel, Context, Error, Phase};

/// Batches on their way for each worker.
const BATCHES_PER_WORKER: usize = 2;

/// Chunks that are verified together at most: while they are gathered, none is kept.
const BATCH_LEN_MAX: usize = 16;

/// Copies the wanted chunks that `target` lacks from `source`, each once. When this returns they are
/// durable. Progress counts chunks.
///
/// # Errors
/// The stores' own, the source's if it lacks a chunk, and [`Error::Interrupted`]. Chunks copied before the
/// error stay.
pub fn copy(
    mut wanted: Vec<Wanted>,
    source: &dyn ChunkStore,
    target: &dyn ChunkStore,
    context: &Context<'_>,
) -> Result<(), Error> {
    wanted.sort_unstable_by_key(|wanted| wanted.id);
    wanted.dedup_by_key(|wanted| wanted.id);
    context.progress.begin(Phase::Working, wanted.len() as u64);
    // A few chunks keep all workers busy rather than all lanes.
    let share = wanted.len().div_ceil(context.workers.get() * BATCHES_PER_WORKER).max(1);
    let batch_len = context.kernels.hash.batch_len().min(BATCH_LEN_MAX).min(share);
    let worker = || {
        let (hash, opener, cancel) = (context.kernels.hash, Opener::new(), context.cancel);
        let hand = Hand { source, target, hash, opener, cancel };
        move |batch: &[Wanted]| hand.copy(batch).map(|()| batch.len())
    };
    let in_flight_max = context.workers.get() * BATCHES_PER_WORKER;
    let copied = ordered(context, in_flight_max, wanted.chunks(batch_len).map(Ok), worker, |copied| {
        context.progress.advance(copied as u64);
        Ok(())
    });
    // What was copied before a failure is there for the next run.
    let flushed = target.flush();
    copied?;
    context.cancel.check()?;
    flushed?;
    context.progress.end();
    Ok(())
}

/// One worker's means to copy chunks.
struct Hand<'a> {
    source: &'a dyn ChunkStore,
    target: &'a dyn ChunkStore,
    hash: HashKernel,
    opener: Opener,
    cancel: &'a Cancel,
}

impl Hand<'_> {
    fn copy(&self, batch: &[Wanted]) -> Result<(), Error> {
        let (mut chunks, mut failed) = (Vec::new(), None);
        for wanted in batch {
            match self.fetch(wanted) {
                Ok(fetched) => chunks.extend(fetched.map(|chunk| (chunk, *wanted))),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        // What came before a failure is kept: the next run need not fetch it again.
        self.keep(&chunks)?;
        failed.map_or(Ok(()), Err)
    }

    /// A chunk that the target lacks, not verified.
    fn fetch(&self, wanted: &Wanted) -> Result<Option<Chunk>, Error> {
        self.cancel.check()?;
        if self.target.rely_on(&wanted.id)? {
            return Ok(None);
        }
        Ok(Some(self.source.get_unverified(wanted)?))
    }

    /// Keeps chunks, of which those that are wrong are asked for once more, one by one: the source knows what to
    /// do about damage.
    fn keep(&self, chunks: &[(Chunk, Wanted)]) -> Result<(), Error> {
        // Each index names its chunks by one digest, but there may be several indexes.
        for alike in chunks.chunk_by(|(_, one), (_, next)| one.digest == next.digest) {
            let opened = self.opener.open_many(self.hash, alike[0].1.digest, alike, &self.source.location());
            for ((chunk, wanted), opened) in alike.iter().zip(opened) {
                match opened {
                    // A store of another form need not decode it again.
                    Ok(plain) => self.target.put(&chunk.clone().with_plain(plain))?,
                    Err(_) => self.target.put(&self.source.get(wanted)?)?,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use desync_core::format::StorageForm;
    use desync_core::{ChunkId, DigestKind};
    use desync_store::{FormatOptions, StoreError};

    use super::*;
    use crate::testing::{
        chunk_files, directory_store, fill, index_of, store_of_form, wanted_of, with_context,
    };

    /// Puts chunks into a store with stored bytes that do not decode, and counts what would have to be decoded there.
    struct Undecodable<S> {
        store: S,
        to_decode: AtomicUsize,
    }

    impl<S: ChunkStore> ChunkStore for Undecodable<S> {
        fn location(&self) -> String {
            self.store.location()
        }
        fn get(&self, wanted: &Wanted) -> Result<Chunk, StoreError> {
            self.store.get(wanted)
        }
        fn has(&self, id: &ChunkId) -> Result<bool, StoreError> {
            self.store.has(id)
        }
        fn put(&self, chunk: &Chunk) -> Result<(), StoreError> {
            assert_eq!(chunk.stored_form(), Some(StorageForm::Compressed));
            let Some(plain) = chunk.plain() else {
                self.to_decode.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            };
            let rest = Chunk::from_stored(chunk.id(), StorageForm::Compressed, b"not zstd"[..].into());
            self.store.put(&rest.with_plain(plain.clone()))
        }
        fn flush(&self) -> Result<(), StoreError> {
            self.store.flush()
        }
    }

    #[test]
    fn chunks_for_a_store_of_another_form_are_decoded_once() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (source, _) = directory_store(from.path());
        let (store, _) =
            store_of_form(to.path(), FormatOptions { compressed: false, ..FormatOptions::default() });
        let blob: Vec<u8> = (0..640u32).flat_map(u32::to_le_bytes).collect();
        let index = index_of(&blob, 64);
        fill(&source, &blob, &index);
        let target = Undecodable { store, to_decode: AtomicUsize::default() };
        with_context(2, |context, _| copy(wanted_of(&index), &source, &target, context)).unwrap();
        assert_eq!(target.to_decode.into_inner(), 0);
        for (wanted, bytes) in wanted_of(&index).iter().zip(blob.chunks(64)) {
            assert_eq!(target.store.get(wanted).unwrap().plain().unwrap().bytes(), bytes);
        }
    }

    #[test]
    fn copies_what_is_missing_once() {
        let blob: Vec<u8> = (0..640u32).flat_map(u32::to_le_bytes).collect();
        let index = index_of(&blob, 64);
        for workers in [1, 3, 10] {
            let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let ((source, _), (target, directory)) =
                (directory_store(from.path()), directory_store(to.path()));
            fill(&source, &blob, &index);
            let wanted: Vec<Wanted> = [wanted_of(&index), wanted_of(&index)].concat();
            for _ in 0..2 {
                with_context(workers, |context, _| copy(wanted.clone(), &source, &target, context)).unwrap();
                assert_eq!(chunk_files(&directory), 40);
            }
        }
    }

    #[test]
    fn each_is_verified_by_the_digest_of_its_index() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let ((source, stored), (target, directory)) =
            (directory_store(from.path()), directory_store(to.path()));
        let blob: Vec<u8> = (0..640u32).flat_map(u32::to_le_bytes).collect();
        let index = index_of(&blob, 64);
        let mut other = index.clone();
        other.header.flags = desync_core::format::FeatureFlags::desync_blob(DigestKind::Sha256);
        for (item, chunk) in other.items.iter_mut().zip(blob.chunks(64)) {
            item.id = DigestKind::Sha256.id_of(chunk);
        }
        fill(&source, &blob, &index);
        fill(&source, &blob, &other);
        let wanted: Vec<Wanted> = [wanted_of(&index), wanted_of(&other)].concat();
        with_context(2, |context, _| copy(wanted.clone(), &source, &target, context)).unwrap();
        assert_eq!(chunk_files(&directory), 80);

        // One that is damaged is neither kept nor passed over, and keeps nothing else from being told of.
        let name = desync_core::format::StorageForm::Compressed.path_of(&other.items[7].id);
        std::fs::write(stored.join(name.as_str()), b"not a chunk").unwrap();
        let to = tempfile::tempdir().unwrap();
        let (target, directory) = directory_store(to.path());
        let error = with_context(2, |context, _| copy(wanted, &source, &target, context)).unwrap_err();
        assert!(error.to_string().contains(&other.items[7].id.to_string()), "{error}");
        assert!(!directory.join(name.as_str()).exists());
    }

    #[test]
    fn a_chunk_nobody_has_is_an_error_that_names_it() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let ((source, _), (target, _)) = (directory_store(from.path()), directory_store(to.path()));
        let index = index_of(b"nowhere", 64);
        let error =
            with_context(2, |context, _| copy(wanted_of(&index), &source, &target, context)).unwrap_err();
        assert!(error.to_string().contains(&format!("chunk {} missing from store", index.items[0].id)));
    }

    #[test]
    fn defect_3_interrupted_is_an_error() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let ((source, _), (target, _)) = (directory_store(from.path()), directory_store(to.path()));
        let result = with_context(2, |context, cancel| {
            cancel.cancel();
            copy(Vec::new(), &source, &target, context)
        });
        assert!(matches!(result, Err(Error::Interrupted)));
    }
}
