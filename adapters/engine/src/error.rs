//! What ends a pipeline: which operation, on which path, chunk and store.

use std::io;
use std::path::{Path, PathBuf};

use desync_core::ChunkId;
use desync_core::format::ChunkEntry;
use desync_core::format::catar::CatarError;
use desync_store::StoreError;

/// A failed pipeline.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// A file or device failed.
    #[error("{operation} {path}: {source}", path = path.display())]
    File {
        /// What was being done, as a verb: `read`, `write`, `sync` …
        operation: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file is not what its index says.
    #[error("{path}: bytes {start}..{end} are not chunk {expected} (found {found})", path = path.display())]
    Mismatch {
        /// Which file.
        path: PathBuf,
        /// First byte of the range.
        start: u64,
        /// First byte after it.
        end: u64,
        /// The chunk the index names there.
        expected: ChunkId,
        /// What the bytes are.
        found: ChunkId,
    },
    /// A seed is not what its index says, and the user did not allow to go on without it.
    #[error("seed index for {path} doesn't match its data", path = path.display())]
    InvalidSeed {
        /// The seed's data.
        path: PathBuf,
    },
    /// The file has another length than the index.
    #[error("{path}: index size ({index_len}) does not match file size ({file_len})", path = path.display())]
    Length {
        /// Which file.
        path: PathBuf,
        /// Bytes according to the index.
        index_len: u64,
        /// Bytes in the file.
        file_len: u64,
    },
    /// The target cannot take the blob.
    #[error("{path}: {reason}", path = path.display())]
    Target {
        /// The target.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// An archive, or a node of one, is not as it must be.
    #[error("{path}: {source}", path = path.display())]
    Archive {
        /// Which archive, or which node in it.
        path: PathBuf,
        /// What is wrong.
        source: CatarError,
    },
    /// An input cannot become what is wanted.
    #[error("{path}: {reason}", path = path.display())]
    Input {
        /// Which input.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The index cannot be used.
    #[error("index: {0}")]
    Index(String),
    /// The input is used in a way it does not support.
    #[error("{0}")]
    Unsupported(String),
}

impl Error {
    /// A range of a file that is another chunk than its index says.
    pub(crate) fn mismatch(path: &Path, entry: &ChunkEntry, found: ChunkId) -> Self {
        let (start, end, expected) = (entry.start, entry.end, entry.id);
        Self::Mismatch { path: path.to_owned(), start, end, expected, found }
    }

    /// An archive that is refused, or a node that an archive cannot have.
    #[must_use]
    pub fn archive(path: &Path, source: CatarError) -> Self {
        Self::Archive { path: path.to_owned(), source }
    }

    /// Turns the system's error into one that says what was being done to which file.
    pub fn file(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { operation, path: path.to_owned(), source }
    }
}
