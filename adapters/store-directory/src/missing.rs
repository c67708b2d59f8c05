//! Which prefix directories a store lacks: who fills a new one need not ask it for each chunk.
//!
//! Others may fill it at the same time. A directory of theirs that was thought to be missing costs storing one chunk
//! a second time; from then on nothing is presumed (test: `two_who_fill_a_store_find_each_others_chunks`).

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use desync_files::Disk;

use crate::prefixes::{Prefix, Prefixes};

/// A directory with more names is not listed to its end: asking for each chunk costs less.
const NAMES_MAX: usize = 1 << 14;

/// What is known of the prefix directories.
#[derive(Default)]
pub(crate) struct Missing {
    /// Those that are there; `None` if there are too many, or nobody may list them.
    present: OnceLock<Option<Prefixes>>,
    /// Whether somebody else makes directories, too.
    in_doubt: AtomicBool,
}

impl Missing {
    /// Whether there is no such directory, as far as this process knows.
    pub(crate) fn has(&self, prefix: Prefix) -> bool {
        let Some(Some(present)) = self.present.get() else { return false };
        !present.contains(prefix) && !self.in_doubt.load(Ordering::Relaxed)
    }

    /// Looks once at what is there. Who never misses a chunk need not know.
    pub(crate) fn learn(&self, disk: &dyn Disk, store: &Path) {
        self.present.get_or_init(|| list(disk, store));
    }

    /// Notes that a directory was made, or was there already.
    pub(crate) fn made(&self, prefix: Prefix, is_new: bool) {
        let Some(Some(present)) = self.present.get() else { return };
        if !is_new && !present.contains(prefix) {
            self.in_doubt.store(true, Ordering::Relaxed);
        }
        present.add(prefix);
    }
}

fn list(disk: &dyn Disk, store: &Path) -> Option<Prefixes> {
    // Who may write and not read has to ask.
    let entries = disk.read_dir(store, NAMES_MAX + 1).ok().filter(|entries| entries.len() <= NAMES_MAX)?;
    let present = Prefixes::new();
    let prefixes = entries.iter().filter_map(|(path, _)| Prefix::named(path.file_name()?));
    prefixes.for_each(|prefix| present.add(prefix));
    Some(present)
}

#[cfg(test)]
mod tests {
    use desync_core::ChunkId;
    use desync_files::HostDisk;
    use desync_test_kit::model_disk::ModelDisk;

    use super::*;

    fn prefix(number: u16) -> Prefix {
        let mut id = ChunkId([0; 32]);
        id.0[..2].copy_from_slice(&number.to_be_bytes());
        Prefix::of(&id)
    }

    #[test]
    fn only_what_was_listed_and_made_is_there() {
        let disk = ModelDisk::new();
        disk.create_dir(Path::new("/0007")).unwrap();
        let missing = Missing::default();
        assert!(!missing.has(prefix(8)), "nobody looked yet");
        missing.learn(&disk, Path::new("/"));
        assert!(missing.has(prefix(8)) && !missing.has(prefix(7)));
        missing.made(prefix(8), true);
        missing.made(prefix(7), false);
        assert!(!missing.has(prefix(8)) && missing.has(prefix(9)));
        missing.made(prefix(9), false);
        assert!(!missing.has(prefix(10)), "somebody else makes directories, too");
    }

    #[test]
    fn a_large_directory_is_not_listed_to_its_end() {
        let root = tempfile::tempdir().unwrap();
        for number in 0..=NAMES_MAX {
            std::fs::write(root.path().join(number.to_string()), b"").unwrap();
        }
        let missing = Missing::default();
        missing.learn(&HostDisk, root.path());
        assert!(!missing.has(prefix(8)));
        std::fs::remove_file(root.path().join("0")).unwrap();
        let missing = Missing::default();
        missing.learn(&HostDisk, root.path());
        assert!(missing.has(prefix(8)));
    }
}
