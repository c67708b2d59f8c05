//! `verify-index`: is this file what the index says?

use std::path::Path;

use desync_core::format::Index;
use desync_files::Disk;

use crate::compare::{Comparison, compare};
use crate::ranges::Ranges;
use crate::{Context, Error, Phase};

/// Reads the whole blob and compares each chunk with the index. A block device may be longer than the blob.
/// Progress counts chunks.
///
/// # Errors
/// [`Error::Length`], [`Error::Mismatch`] for the first chunk that differs, the file's own, and
/// [`Error::Interrupted`].
pub fn verify_index(index: &Index, disk: &dyn Disk, path: &Path, context: &Context<'_>) -> Result<(), Error> {
    let ranges = Ranges::open(disk, path)?;
    ranges.check_len(index)?;
    context.progress.begin(Phase::Working, index.items.len() as u64);
    compare(Comparison { index, file: ranges.file(), path }, context, |_, entry, found| {
        if found != entry.id {
            return Err(Error::mismatch(path, entry, found));
        }
        context.progress.advance(1);
        Ok(())
    })?;
    context.progress.end();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{index_of, with_context};
    use desync_files::HostDisk;

    #[test]
    fn tells_equal_from_different_and_from_longer() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("blob");
        let blob = b"abcdefghij".repeat(100);
        let index = index_of(&blob, 64);
        let verify =
            |workers| with_context(workers, |context, _| verify_index(&index, &HostDisk, &path, context));
        for workers in [1, 2, 10] {
            std::fs::write(&path, &blob).unwrap();
            verify(workers).unwrap();
            let mut changed = blob.clone();
            changed[700] ^= 1;
            std::fs::write(&path, &changed).unwrap();
            assert!(matches!(verify(workers), Err(Error::Mismatch { start: 640, end: 704, .. })));
            std::fs::write(&path, &blob[1..]).unwrap();
            assert!(matches!(verify(workers), Err(Error::Length { index_len: 1000, file_len: 999, .. })));
        }
    }

    #[test]
    fn holes_are_zeros_and_nothing_else() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("blob");
        let len = 4 << 20;
        let zeros = index_of(&vec![0; len], 64 << 10);
        let mut other = vec![0; len];
        other[1 << 20] = 1;
        let other = index_of(&other, 64 << 10);
        std::fs::File::create(&path).unwrap().set_len(len as u64).unwrap();
        let verify = |index| with_context(2, |context, _| verify_index(index, &HostDisk, &path, context));
        verify(&zeros).unwrap();
        assert!(matches!(verify(&other), Err(Error::Mismatch { .. })));
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &[1], 1 << 20).unwrap();
        verify(&other).unwrap();
        assert!(matches!(verify(&zeros), Err(Error::Mismatch { .. })));
    }

    #[test]
    fn defect_2_interrupted_is_not_verified() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("blob");
        std::fs::write(&path, b"x".repeat(1000)).unwrap();
        let index = index_of(&b"x".repeat(1000), 64);
        let result = with_context(2, |context, cancel| {
            cancel.cancel();
            verify_index(&index, &HostDisk, &path, context)
        });
        assert!(matches!(result, Err(Error::Interrupted)));
    }
}
