//! Archives of directory trees (`.catar`), and what is behind a `.caidx`.
//!
//! An archive is its root directory: nodes depth first, in the order of their names, and behind the children of
//! each directory a table by which a name is found without reading the others.
//!
//! - [`Decoder`]: bytes in, nodes out; [`Encoder`]: nodes in, bytes out. Both without I/O.
//! - [`Archive`]: looks names up in an archive that can be read at any offset.
//!
//! Not here: files. What a name may do to a file system, or whether an owner may be set, is for those who have one.

mod archive;
mod check;
mod decoder;
mod draft;
mod encoder;
mod error;
mod goodbye;
mod node;
mod record;
#[cfg(test)]
mod tests;

pub use archive::{Archive, ArchiveError, Directory, Found, Place, leading_features};
pub use check::is_plain_owner_name;
pub use decoder::{Decoder, Event, Expected};
pub use encoder::Encoder;
pub use error::{CatarError, Problem};
pub use goodbye::name_hash;
pub use node::{Acl, AclEntry, Content, DefaultAcl, DeviceNumber, Node, Xattr};
pub use record::Record;
