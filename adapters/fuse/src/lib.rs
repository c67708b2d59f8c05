//! Mounts by FUSE: the blob of an index as one file, an archive as a tree.
//!
//! Everything here is read-only and never changes while it is mounted, so the kernel may keep what it has seen.
//! What may wait for a store is done by the workers of the blob; the threads that take the kernel's requests only
//! answer what is there. So a store that hangs holds up those who need it and nobody else.

mod file;
mod handles;
mod reading;
mod session;
mod tree;

pub use file::BlobFile;
pub use fuser::Filesystem;
pub use session::{Mounted, mount};
pub use tree::{Content, Tree};
