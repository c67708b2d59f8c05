//! Where it is told what could not be stored or set.

use std::path::Path;

/// Hears of everything that is lost on the way. Called from many threads.
pub trait Notices: Sync {
    /// Something of the node at `path`, a path within the tree, was lost: `what` says what, and why.
    fn lost(&self, path: &Path, what: &str);
}
