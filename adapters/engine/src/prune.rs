//! `prune`: removes from a store what no index names.

use std::time::SystemTime;

use desync_core::format::StorageForm;
use desync_store::{ErrorKind, Listed, PrunableBackend, StoreError};

use crate::{ChunkSet, Context, Error, Phase};

/// What became of a store's files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PruneStats {
    /// Chunks that stay.
    pub kept: u64,
    /// Chunks that were removed.
    pub removed: u64,
    /// Leftovers of writers that died that were removed.
    pub leftovers: u64,
}

/// Removes every chunk of this form that is not in `keep`, and what dead writers left before
/// `leftovers_before`. Younger leftovers may belong to writers that live: they stay.
///
/// # Errors
/// The store's own at the first removal that fails, and [`Error::Interrupted`]. What was removed before is
/// gone; running it again does the rest.
pub fn prune(
    backend: &dyn PrunableBackend,
    form: StorageForm,
    keep: &ChunkSet,
    leftovers_before: SystemTime,
    context: &Context<'_>,
) -> Result<PruneStats, Error> {
    let mut stats = PruneStats::default();
    context.progress.begin(Phase::Pruning, 0);
    context.cancel.check()?;
    backend.list(form, &mut |listed: Listed| {
        if keep.contains(&listed.id) {
            stats.kept += 1;
        } else {
            remove(backend, form, &listed)?;
            stats.removed += 1;
        }
        context.progress.advance(1);
        Ok(!context.cancel.is_cancelled())
    })?;
    context.cancel.check()?;
    stats.leftovers = backend.remove_leftovers(leftovers_before)?;
    backend.flush()?;
    context.progress.end();
    Ok(stats)
}

/// Removes a chunk. That somebody else was faster is fine.
fn remove(backend: &dyn PrunableBackend, form: StorageForm, listed: &Listed) -> Result<(), StoreError> {
    match backend.remove(&listed.id, form) {
        Err(error) if error.kind == ErrorKind::Missing => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{chunk_files, directory_store, fill, index_of, with_context};

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
        let (day, now) = (std::time::Duration::from_secs(86_400), SystemTime::now());
        std::fs::File::options().write(true).open(&dead).unwrap().set_modified(now - day * 2).unwrap();
        let stats = with_context(2, |context, _| {
            prune(store.backend(), StorageForm::Compressed, &keep, now - day, context)
        })
        .unwrap();
        assert_eq!(stats, PruneStats { kept: 15, removed: 25, leftovers: 1 });
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
            prune(store.backend(), StorageForm::Compressed, &ChunkSet::default(), SystemTime::now(), context)
        });
        assert!(matches!(result, Err(Error::Interrupted)));
        assert_eq!(chunk_files(&directory), 40);
    }
}
