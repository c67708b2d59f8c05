//! `cache`: chunks from one store into another, without building anything.

use desync_core::chunk_source::Wanted;
use desync_store::ChunkStore;

use crate::pool::ordered;
use crate::{Context, Error, Phase};

/// Chunks on their way for each worker.
const CHUNKS_PER_WORKER: usize = 2;

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
    let worker = || |wanted: Wanted| copy_one(&wanted, source, target);
    let in_flight_max = context.workers.get() * CHUNKS_PER_WORKER;
    let copied = ordered(context, in_flight_max, wanted.into_iter().map(Ok), worker, |()| {
        context.progress.advance(1);
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

fn copy_one(wanted: &Wanted, source: &dyn ChunkStore, target: &dyn ChunkStore) -> Result<(), Error> {
    if !target.rely_on(&wanted.id)? {
        target.put(&source.get(wanted)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{chunk_files, directory_store, fill, index_of, wanted_of, with_context};

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
