//! The files that say how stores are used: where the config file lies, reading and writing it, reading store
//! files; and what their values mean to stores. What stands in them is `desync_config`'s.

mod file;
#[cfg(any(feature = "fuse", feature = "server"))]
mod store_file;
mod values;

pub(crate) use file::{ConfigFile, load, write};
#[cfg(any(feature = "fuse", feature = "server"))]
pub(crate) use store_file::load as load_store_file;
pub(crate) use values::retry_policy;
#[cfg(any(feature = "http", feature = "ssh"))]
pub(crate) use values::timeouts;
