//! What takes a tree, node by node.

use desync_core::format::FeatureFlags;
use desync_core::format::catar::Node;

use crate::Error;

/// Takes the nodes of a tree, depth first and in the order of their names.
pub trait Sink {
    /// Called once before the root where the tree comes from an archive: what that records, and what of it is wanted.
    ///
    /// # Errors
    /// What ends the run.
    fn begin(&mut self, archived: FeatureFlags, wanted: FeatureFlags) -> Result<(), Error> {
        let _ = (archived, wanted);
        Ok(())
    }

    /// The next node. If it is a file, its data follow; if it is a directory, its children, then [`Sink::leave`].
    ///
    /// # Errors
    /// What ends the run.
    fn node(&mut self, node: &Node) -> Result<(), Error>;

    /// Bytes of the file that came last; at least one call for each file, with no bytes if it has none.
    ///
    /// # Errors
    /// What ends the run.
    fn data(&mut self, bytes: &[u8], is_last: bool) -> Result<(), Error>;

    /// The end of the innermost open directory.
    ///
    /// # Errors
    /// What ends the run.
    fn leave(&mut self) -> Result<(), Error>;

    /// The end of the tree: everything that was buffered goes out.
    ///
    /// # Errors
    /// What ends the run; the result is not complete then.
    fn finish(&mut self) -> Result<(), Error>;
}
