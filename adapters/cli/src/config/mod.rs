//! The config file: where it lies, what it says, and which of its entries are for a location. And the store
//! file, which names stores that may change while a command runs.
//!
//! Values never appear in messages: some are secrets.

mod file;
mod model;
#[cfg(any(feature = "fuse", feature = "server"))]
mod store_file;

pub(crate) use desync_config::clean as clean_path;
pub(crate) use file::{ConfigFile, load, write};
pub(crate) use model::{Config, StoreOptions};
#[cfg(any(feature = "fuse", feature = "server"))]
pub(crate) use store_file::load as load_store_file;
