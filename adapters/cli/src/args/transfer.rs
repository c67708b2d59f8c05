//! The commands that fill a store: `cache` and `chop`.

use std::ffi::OsString;

use super::help;
use super::shared::{IgnoreArgs, ProfileArg, StoreArgs};
use crate::settings::notation;

/// Copy the chunks of indexes from stores into another store
///
/// Each chunk that any of the indexes names is copied once, if the target lacks it. Fills a cache before it
/// is needed, or carries a version from one store to another, without building the blob.
#[derive(clap::Args)]
#[command(after_help = help::CACHE)]
pub(crate) struct CacheArgs {
    /// The indexes to read; one of them may be '-' for stdin
    #[arg(value_name = "index", required = true)]
    pub(crate) indexes: Vec<OsString>,

    /// Store to copy from; repeat it to ask several in order, `a|b` to fail over from a to b
    #[arg(short = 's', long, value_name = "LOCATION")]
    pub(crate) store: Vec<OsString>,

    /// Store to copy into
    #[arg(short = 'c', long, value_name = "LOCATION")]
    pub(crate) cache: Option<OsString>,

    #[command(flatten)]
    pub(crate) ignore: IgnoreArgs,

    #[command(flatten)]
    pub(crate) profile: ProfileArg,

    /// Do not wait for the disk: faster, but after a power cut the target may hold chunks that are empty or
    /// torn
    #[arg(long, value_parser = notation::boolean)]
    pub(crate) no_sync: Option<bool>,

    #[command(flatten)]
    pub(crate) stores: StoreArgs,
}

/// Store the chunks of a file that an index names
///
/// Reads each chunk of the index from the file, checks it, and stores it if the store lacks it. Neither
/// file nor index is changed. Fills a store again from a blob that is at hand.
#[derive(clap::Args)]
#[command(after_help = help::CHOP)]
pub(crate) struct ChopArgs {
    /// The index to read; '-' for stdin
    #[arg(value_name = "index")]
    pub(crate) index: OsString,

    /// The file or block device the index was made of
    #[arg(value_name = "file")]
    pub(crate) file: OsString,

    /// Store to put the chunks into
    #[arg(short = 's', long, value_name = "LOCATION")]
    pub(crate) store: Option<OsString>,

    #[command(flatten)]
    pub(crate) ignore: IgnoreArgs,

    #[command(flatten)]
    pub(crate) profile: ProfileArg,

    /// Do not wait for the disk: faster, but after a power cut the store may hold chunks that are empty or
    /// torn
    #[arg(long, value_parser = notation::boolean)]
    pub(crate) no_sync: Option<bool>,

    #[command(flatten)]
    pub(crate) stores: StoreArgs,
}
