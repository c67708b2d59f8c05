//! The config file: where it lies, what it says, and which of its entries are for a location.
//!
//! Values never appear in messages: some are secrets.

mod file;
mod glob;
mod matching;
mod model;

pub(crate) use file::{ConfigFile, load, write};
pub(crate) use matching::clean as clean_path;
pub(crate) use model::{Config, StoreOptions};
