//! Chunks and indexes in a local directory.
//!
//! [`DirectoryStore`] keeps chunks as casync and Go desync do, `<4 hex>/<64 hex><extension>`;
//! [`DirectoryIndexStore`] keeps indexes by their file names. Both write through [`desync_files::Disk`]. How
//! stores are composed is not known here.

mod batch;
mod chunks;
mod index;
mod missing;
mod names;
mod prefixes;
mod walk;

pub use chunks::DirectoryStore;
pub use index::DirectoryIndexStore;
