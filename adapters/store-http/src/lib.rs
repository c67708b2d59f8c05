//! Chunks and indexes on a web server: GET, HEAD and PUT of objects named as in a local directory.
//!
//! What a server does with a PUT is its matter: it should show an object only when it is whole. A web server has
//! no listing, so such a store cannot be pruned.

mod chunks;
mod index;
mod place;

pub use chunks::HttpStore;
pub use index::HttpIndexes;
pub use place::Credentials;
