//! What is measured.

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    /// Its name in the table.
    pub(crate) name: &'static str,
    pub(crate) task: Task,
    /// `-n` for programs that have it; none for their default.
    pub(crate) concurrency: Option<u32>,
    /// Where seed and output lie.
    pub(crate) file_system: FileSystem,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// First image into a store that is empty, or has all of its chunks.
    Make { known: bool },
    /// Second image out of the store, alone or with a seed.
    Extract { seed: Seed },
    /// Second image read through a mount, from mounting it to the end of the program.
    Mount,
    /// The tree in the first image into an archive, or into chunks in an empty store.
    Tar { index: bool, sync: bool },
    /// The same tree out of an archive, or out of chunks.
    Untar { index: bool, sync: bool },
    /// The same tree listed.
    Mtree,
    /// Every chunk of a store that has both.
    Verify,
    /// First image against its index.
    VerifyIndex,
    /// Cuts and names of the first image, printed.
    Chunk,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seed {
    None,
    /// The first image, with its index where the program takes one.
    First,
    /// The first image, without its index.
    Bare,
    /// Bytes that have nothing in common with the images, without an index.
    Random,
}

impl Task {
    /// Whether the program under test is to write without waiting for the disk. Where it does wait, `sync -f` follows
    /// the others, which never do.
    pub(crate) const fn is_unsynced(self) -> bool {
        matches!(self, Self::Tar { sync: false, .. } | Self::Untar { sync: false, .. })
    }

    /// Whether a seed is to be taken that has no index.
    pub(crate) const fn has_bare_seed(self) -> bool {
        matches!(self, Self::Extract { seed: Seed::Bare | Seed::Random })
    }

    /// Whether it is about the tree in the first image, not the image.
    pub(crate) const fn is_of_a_tree(self) -> bool {
        matches!(self, Self::Tar { .. } | Self::Untar { .. } | Self::Mtree)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileSystem {
    /// Wherever the corpus is.
    Corpus,
    /// XFS with reflinks, mounted from a file.
    Xfs,
}

pub(crate) const fn job(name: &'static str, task: Task, concurrency: Option<u32>) -> Job {
    Job { name, task, concurrency, file_system: FileSystem::Corpus }
}

const fn on_xfs(name: &'static str, task: Task, concurrency: Option<u32>) -> Job {
    Job { name, task, concurrency, file_system: FileSystem::Xfs }
}

/// All jobs, in the order of the table.
pub(crate) const JOBS: &[Job] = &[
    job("make, fresh, -n 1", Task::Make { known: false }, Some(1)),
    // With more workers than processors, one that waits is not missed.
    job("make, fresh, -n 2", Task::Make { known: false }, Some(2)),
    job("make, fresh", Task::Make { known: false }, None),
    job("make, all known, -n 1", Task::Make { known: true }, Some(1)),
    job("make, all known, -n 2", Task::Make { known: true }, Some(2)),
    job("make, all known", Task::Make { known: true }, None),
    job("extract, -n 1", Task::Extract { seed: Seed::None }, Some(1)),
    job("extract", Task::Extract { seed: Seed::None }, None),
    job("extract, seed, -n 1", Task::Extract { seed: Seed::First }, Some(1)),
    job("extract, seed", Task::Extract { seed: Seed::First }, None),
    job("extract, seed without index", Task::Extract { seed: Seed::Bare }, None),
    job("extract, random seed", Task::Extract { seed: Seed::Random }, None),
    on_xfs("extract, seed, XFS, -n 1", Task::Extract { seed: Seed::First }, Some(1)),
    on_xfs("extract, seed, XFS", Task::Extract { seed: Seed::First }, None),
    job("mount-index, -n 1", Task::Mount, Some(1)),
    job("mount-index", Task::Mount, None),
    // Not where the corpus is: ext4 searches long for inodes that were not in use lately, and each run makes thousands
    // of files where those of the last were removed.
    on_xfs("tar, XFS", Task::Tar { index: false, sync: true }, None),
    on_xfs("tar -i, fresh, XFS", Task::Tar { index: true, sync: true }, None),
    on_xfs("tar -i, fresh, XFS, --no-sync", Task::Tar { index: true, sync: false }, None),
    on_xfs("untar, XFS", Task::Untar { index: false, sync: true }, None),
    on_xfs("untar, XFS, --no-sync", Task::Untar { index: false, sync: false }, None),
    on_xfs("untar -i, XFS", Task::Untar { index: true, sync: true }, None),
    on_xfs("untar -i, XFS, --no-sync", Task::Untar { index: true, sync: false }, None),
    on_xfs("mtree of a tree, XFS", Task::Mtree, None),
    job("verify, -n 1", Task::Verify, Some(1)),
    job("verify", Task::Verify, None),
    job("verify-index, -n 1", Task::VerifyIndex, Some(1)),
    job("verify-index", Task::VerifyIndex, None),
    job("chunk", Task::Chunk, None),
];
