//! What a config file says, and which of its entries is for a location: keys are locations or globs.
//!
//! Text in, answers and text out, so that fuzzing can reach all of it. Where the file lies, reading and writing
//! it, and what its values mean to stores is the CLI's matter. Values never appear in messages: some are secrets.

pub mod glob;
mod matching;
mod model;
mod secrets;
mod section;
mod store_file;

pub use matching::{clean, is_for};
pub use model::{Ambiguous, Config, OciCredentials, S3Credentials, StoreOptions, StoreOverrides};
pub use secrets::hide_in_url;
pub use section::ConfigError;
pub use store_file::StoreFile;
