//! `prune`: removes from a store what no index names.

use std::panic::resume_unwind;
use std::thread;
use std::time::SystemTime;

use desync_core::ChunkId;
use desync_core::format::StorageForm;
use desync_store::{Listed, PrunableBackend, StoreError};

use crate::{ChunkSet, Context, Error, Phase};

/// What is removed.
#[derive(Clone, Copy)]
pub struct PruneOptions<'a> {
    /// The form of the chunks that are looked at.
    pub form: StorageForm,
    /// The chunks that stay.
    pub keep: &'a ChunkSet,
    /// Chunks that were stored or relied upon after this stay: the index that names them may be on its way.
    pub unused_since: SystemTime,
    /// What writers that died left before this is removed. What is younger may belong to writers that live.
    pub leftovers_before: SystemTime,
    /// Whether chunks are only told, and nothing is removed.
    pub dry_run: bool,
}

/// What became of a store's files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PruneStats {
    /// Chunks that stay because they are named.
    pub kept: u64,
    /// Chunks that stay because they are young.
    pub young: u64,
    /// Chunks that were removed, or would have been.
    pub removed: u64,
    /// Leftovers of writers that died that were removed.
    pub leftovers: u64,
}

/// Removes every chunk that is not to be kept and has not been used lately. `removed` is told each, before it
/// is removed, and may stop it all.
///
/// # Errors
/// The store's own at the first removal that fails, those of `removed`, and [`Error::Interrupted`]. What was
/// removed before is gone; running it again does the rest.
pub fn prune(
    backend: &dyn PrunableBackend,
    options: &PruneOptions<'_>,
    removed: &mut dyn FnMut(&Listed) -> Result<(), Error>,
    context: &Context<'_>,
) -> Result<PruneStats, Error> {
    let mut stats = PruneStats::default();
    let mut failed = None;
    context.progress.begin(Phase::Pruning, 0);
    context.cancel.check()?;
    let gathered_max = backend.removes_at_once() * context.workers.get();
    let mut unnamed = Vec::new();
    backend.list(options.form, &mut |listed: Listed| {
        if options.keep.contains(&listed.id) {
            stats.kept += 1;
        } else if is_young(backend, options, &listed)? {
            stats.young += 1;
        } else {
            if let Err(error) = removed(&listed) {
                failed = Some(error);
                return Ok(false);
            }
            unnamed.push(listed.id);
            if unnamed.len() >= gathered_max {
                remove(backend, options, &mut unnamed, &mut stats)?;
            }
        }
        context.progress.advance(1);
        Ok(!context.cancel.is_cancelled())
    })?;
    failed.map_or(Ok(()), Err)?;
    context.cancel.check()?;
    remove(backend, options, &mut unnamed, &mut stats)?;
    context.cancel.check()?;
    if !options.dry_run {
        stats.leftovers = backend.remove_leftovers(options.leftovers_before)?;
        backend.flush()?;
    }
    context.progress.end();
    Ok(stats)
}

/// Whether a chunk is known to be young. Where listings tell no times, whoever removes it finds out; if nothing is
/// removed, it is asked here.
fn is_young(
    backend: &dyn PrunableBackend,
    options: &PruneOptions<'_>,
    listed: &Listed,
) -> Result<bool, StoreError> {
    let used = match listed.modified {
        None if options.dry_run => backend.last_used(&listed.id, options.form)?,
        told => told,
    };
    Ok(used.is_some_and(|used| used > options.unused_since))
}

/// Removes the gathered chunks, unless somebody has just begun to rely on them, over as many requests at once as
/// there are workers. That somebody else was faster is fine.
fn remove(
    backend: &dyn PrunableBackend,
    options: &PruneOptions<'_>,
    unnamed: &mut Vec<ChunkId>,
    stats: &mut PruneStats,
) -> Result<(), StoreError> {
    let gathered = unnamed.len() as u64;
    let gone = if options.dry_run { gathered } else { remove_all(backend, options, unnamed)? };
    stats.removed += gone;
    stats.young += gathered - gone;
    unnamed.clear();
    Ok(())
}

fn remove_all(
    backend: &dyn PrunableBackend,
    options: &PruneOptions<'_>,
    ids: &[ChunkId],
) -> Result<u64, StoreError> {
    thread::scope(|scope| {
        let parts = ids.chunks(backend.removes_at_once());
        let remove = |part| move || backend.remove_many(part, options.form, options.unused_since);
        let threads: Vec<_> = parts.map(|part| scope.spawn(remove(part))).collect();
        let mut ended =
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        // The scope waits for every one; the first failure is the one to tell.
        ended.try_fold(0, |gone, part| Ok(gone + part?))
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use desync_store::ChunkStore as _;

    use super::*;
    use crate::testing::{chunk_files, directory_store, fill, index_of, with_context};

    const DAY: Duration = Duration::from_secs(86_400);

    /// Removes all chunks but `keep` that are older than `age`.
    fn older_than(age: Duration, keep: &ChunkSet) -> PruneOptions<'_> {
        let now = SystemTime::now();
        PruneOptions {
            form: StorageForm::Compressed,
            keep,
            unused_since: now - age,
            leftovers_before: now - DAY,
            dry_run: false,
        }
    }

    #[test]
    fn young_chunks_stay_and_those_that_somebody_relies_on() {
        let blob: Vec<u8> = (0..640u32).flat_map(u32::to_le_bytes).collect();
        let index = index_of(&blob, 64);
        let room = tempfile::tempdir().unwrap();
        let (store, directory) = directory_store(room.path());
        fill(&store, &blob, &index);
        let path =
            |number: usize| directory.join(StorageForm::Compressed.path_of(&index.items[number].id).as_str());
        for number in 10..40 {
            let file = std::fs::File::options().write(true).open(path(number)).unwrap();
            file.set_modified(SystemTime::now() - DAY * 2).unwrap();
        }
        let relied_upon = index.items[39].id;
        assert!(store.rely_on(&relied_upon).unwrap());
        let keep = ChunkSet::default();
        let mut listed = Vec::new();
        let mut list = |chunk: &Listed| {
            listed.push(chunk.id);
            Ok(())
        };
        let dry = PruneOptions { dry_run: true, ..older_than(DAY, &keep) };
        let expected = PruneStats { young: 11, removed: 29, ..PruneStats::default() };
        let stats = with_context(2, |context, _| prune(store.backend(), &dry, &mut list, context)).unwrap();
        assert_eq!((stats, listed.len(), chunk_files(&directory)), (expected, 29, 40));
        let options = older_than(DAY, &keep);
        let stats =
            with_context(2, |context, _| prune(store.backend(), &options, &mut |_| Ok(()), context)).unwrap();
        assert_eq!((stats, chunk_files(&directory)), (expected, 11));
        assert!(path(39).exists());
        // Found young only when it was about to go.
        assert!(
            !store.backend().remove_unless_used(&relied_upon, options.form, options.unused_since).unwrap()
        );
        assert!(path(39).exists());
        assert!(!store.rely_on(&index.items[20].id).unwrap(), "what is gone cannot be relied upon");
    }

    #[test]
    fn defect_50_keeps_named_chunks_strays_and_what_others_are_writing() {
        let blob: Vec<u8> = (0..640u32).flat_map(u32::to_le_bytes).collect();
        let index = index_of(&blob, 64);
        let room = tempfile::tempdir().unwrap();
        let (store, directory) = directory_store(room.path());
        fill(&store, &blob, &index);
        let keep: ChunkSet = index.items[..15].iter().map(|item| item.id).collect();
        let unnamed = StorageForm::Compressed.path_of(&index.items[20].id);
        let prefix = directory.join(&unnamed[..4]);
        let stray = directory.join(&unnamed[5..]);
        std::fs::write(&stray, b"in the wrong directory").unwrap();
        let (live, dead) = (prefix.join(".tmp-cacnk.1"), prefix.join(".tmp-cacnk.2"));
        let upper = prefix.join(unnamed[5..].to_uppercase());
        for path in [&live, &dead, &upper] {
            std::fs::write(path, b"x").unwrap();
        }
        let long_ago = SystemTime::now() - DAY * 2;
        std::fs::File::options().write(true).open(&dead).unwrap().set_modified(long_ago).unwrap();
        let options = older_than(Duration::ZERO, &keep);
        let stats =
            with_context(2, |context, _| prune(store.backend(), &options, &mut |_| Ok(()), context)).unwrap();
        assert_eq!(stats, PruneStats { kept: 15, young: 0, removed: 25, leftovers: 1 });
        assert!(live.exists() && !dead.exists() && stray.exists() && upper.exists());
        for path in [stray, upper, live] {
            std::fs::remove_file(path).unwrap();
        }
        assert_eq!(chunk_files(&directory), 15);
    }

    #[test]
    fn interrupted_is_an_error_and_removes_no_more() {
        let blob: Vec<u8> = (0..640u32).flat_map(u32::to_le_bytes).collect();
        let index = index_of(&blob, 64);
        let room = tempfile::tempdir().unwrap();
        let (store, directory) = directory_store(room.path());
        fill(&store, &blob, &index);
        let result = with_context(2, |context, cancel| {
            cancel.cancel();
            let keep = ChunkSet::default();
            prune(store.backend(), &older_than(Duration::ZERO, &keep), &mut |_| Ok(()), context)
        });
        assert!(matches!(result, Err(Error::Interrupted)));
        assert_eq!(chunk_files(&directory), 40);
    }
}
