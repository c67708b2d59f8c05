//! The flags of a copy-on-read file.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use super::{UsageError, workers};

/// A file that keeps what is read, and the files that tell what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CopyOnReadSetting {
    pub(crate) file: PathBuf,
    /// Where its state is kept.
    pub(crate) state: Option<PathBuf>,
    /// A state file that names what to fetch into a new file, and how many chunks at a time.
    pub(crate) preload: Option<(PathBuf, NonZeroUsize)>,
}

impl CopyOnReadSetting {
    /// Reads the flags; `None` if there is no file, whatever else is said.
    ///
    /// # Errors
    /// As of [`workers`].
    pub(crate) fn new(
        file: Option<&OsString>,
        state: Option<&OsString>,
        preload: Option<&OsString>,
        preload_workers: Option<i64>,
    ) -> Result<Option<Self>, UsageError> {
        let path = |given: Option<&OsString>| given.filter(|path| !path.is_empty()).map(PathBuf::from);
        let preload_workers = workers(preload_workers)?;
        Ok(path(file).map(|file| Self {
            file,
            state: path(state),
            preload: path(preload).map(|state| (state, preload_workers)),
        }))
    }
}
