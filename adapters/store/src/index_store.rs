//! The seam for places that keep indexes by name. No index is understood here: bytes in, bytes out.

use std::io::{Read, Write};

use crate::StoreError;

/// A place that keeps indexes: a directory, a server. Called from many threads.
pub trait IndexStore: Send + Sync {
    /// The location as the user gave it, secrets left out; for messages.
    fn location(&self) -> &str;

    /// The bytes of an index, from its beginning.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Missing`] if there is none of this name.
    fn read(&self, name: &str) -> Result<Box<dyn Read + Send>, StoreError>;

    /// Begins to write an index. Until [`IndexWriter::publish`], whoever reads the name sees what was there
    /// before; dropping the writer leaves that as it is.
    fn write(&self, name: &str) -> Result<Box<dyn IndexWriter>, StoreError>;
}

/// An index on its way into a store.
pub trait IndexWriter: Write + Send {
    /// Makes what was written durable and visible, whole, in the place of what had the name before.
    fn publish(self: Box<Self>) -> Result<(), StoreError>;
}
