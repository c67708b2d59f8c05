//! Trees of files between disk, tar, archive and listing.
//!
//! A tree passes through as nodes in the order of their names, each directory's children before its end:
//!
//! - from: [`pack()`] (disk), [`TarInput`] (a tar stream), [`Unpacker`] (an archive)
//! - to a [`Sink`]: [`ArchiveWriter`], [`Restorer`] (disk), [`TarWriter`], [`MtreeWriter`]
//!
//! What cannot be stored or set is told to [`Notices`], one call each, and the rest goes on; whether it was
//! wanted so is for the caller to know. Not here: chunks and stores, arguments, printing.

mod acl;
mod archive;
mod attributes;
mod mtree;
mod notices;
mod owners;
mod pack;
mod path;
mod restore;
mod seed;
mod sink;
mod stream;
mod system;
mod tar_input;
mod tar_output;
mod unpack;

pub use acl::attributes as access_lists;
pub use archive::ArchiveWriter;
pub use desync_engine::Error;
pub use mtree::MtreeWriter;
pub use notices::Notices;
pub use owners::Owners;
pub use pack::{PackOptions, list, pack};
pub use restore::{RestoreOptions, Restorer};
pub use seed::{TreeSeed, TreeSeeder};
pub use sink::Sink;
pub use stream::with_stream;
pub use tar_input::{TarInput, TarOptions, TarSource};
pub use tar_output::TarWriter;
pub use unpack::{UnpackOptions, Unpacker};
