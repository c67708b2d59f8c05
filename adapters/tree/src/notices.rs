//! Where it is told what could not be stored or set.

use std::path::Path;

/// Hears of everything that is lost on the way. Called from many threads.
pub trait Notices: Sync {
    /// Something of the node at `path`, a path within the tree, was lost: `what` says what, and why.
    fn lost(&self, path: &Path, what: &str);
}

/// What is told of a hard link that becomes a file of its own.
pub(crate) const COPIED_LINK: &str = "another name of a file that came before: stored as a file of its own \
    (--copy-hard-links says that this is wanted)";
