//! The commands that read an index and tell or show what it describes: `verify-index`, `list-chunks`,
//! `info`, `inspect-chunks`, `cat`.

use std::ffi::OsString;

use super::help;
use super::shared::{SourceArgs, StoreArgs};
use crate::settings::notation;

/// Check that a file is what an index says
///
/// Compares the length of the file with the index (a block device may be longer), then names every chunk of
/// it again. Silent if all is right; the first difference is an error.
#[derive(clap::Args)]
#[command(after_help = help::VERIFY_INDEX)]
pub(crate) struct VerifyIndexArgs {
    /// The index to read; '-' for stdin
    #[arg(value_name = "index")]
    pub(crate) index: OsString,

    /// The file or block device to check
    #[arg(value_name = "file")]
    pub(crate) file: OsString,

    #[command(flatten)]
    pub(crate) stores: StoreArgs,
}

/// Print the IDs of an index
///
/// One ID per line, in the order of the index, repeats included.
#[derive(clap::Args)]
#[command(after_help = help::LIST_CHUNKS)]
pub(crate) struct ListChunksArgs {
    /// The index to read; '-' for stdin
    #[arg(value_name = "index")]
    pub(crate) index: OsString,

    #[command(flatten)]
    pub(crate) stores: StoreArgs,
}

/// Tell the sizes and counts of an index
///
/// How large the blob is, of how many chunks it is made, and how much of it is missing from seeds, a cache
/// and stores: what an extraction would have to fetch.
#[derive(clap::Args)]
#[command(after_help = help::INFO)]
pub(crate) struct InfoArgs {
    /// The index to read; '-' for stdin
    #[arg(value_name = "index")]
    pub(crate) index: OsString,

    #[command(flatten)]
    pub(crate) source: SourceArgs,

    /// Index of data that is on the device already; may be repeated
    #[arg(long, value_name = "INDEX")]
    pub(crate) seed: Vec<OsString>,

    /// What `inspect-chunks` wrote, to count compressed sizes
    #[arg(long, value_name = "FILE")]
    pub(crate) chunks_info: Option<OsString>,

    /// json or plain [default: json]
    #[arg(short = 'f', long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,

    #[command(flatten)]
    pub(crate) stores: StoreArgs,
}

/// List the chunks of an index as JSON, with their stored sizes
///
/// An array with one object per chunk of the index. With a local --store, the size of the stored file is
/// there too, for the chunks that the store keeps compressed.
#[derive(clap::Args)]
#[command(after_help = help::INSPECT_CHUNKS)]
pub(crate) struct InspectChunksArgs {
    /// The index to read; '-' for stdin
    #[arg(value_name = "index")]
    pub(crate) index: OsString,

    /// Where to write the JSON [default: '-' for stdout]
    #[arg(value_name = "output")]
    pub(crate) output: Option<OsString>,

    /// Local store whose chunks are looked up
    #[arg(short = 's', long, value_name = "DIR")]
    pub(crate) store: Option<OsString>,

    #[command(flatten)]
    pub(crate) stores: StoreArgs,
}

/// Write a blob, or a range of it, to stdout or a file
///
/// Fetches and writes in order, so that the output may be a pipe. `extract` is faster where it can be used.
#[derive(clap::Args)]
#[command(after_help = help::CAT)]
pub(crate) struct CatArgs {
    /// The index to read; '-' for stdin
    #[arg(value_name = "index")]
    pub(crate) index: OsString,

    /// Where to write [default: '-' for stdout]; may be a FIFO
    #[arg(value_name = "output")]
    pub(crate) output: Option<OsString>,

    #[command(flatten)]
    pub(crate) source: SourceArgs,

    /// First byte to write [default: 0]
    #[arg(short = 'o', long, value_name = "BYTES", value_parser = notation::integer)]
    pub(crate) offset: Option<i64>,

    /// How many bytes to write [default: 0, to the end]
    #[arg(short = 'l', long, value_name = "BYTES", value_parser = notation::integer)]
    pub(crate) length: Option<i64>,

    #[command(flatten)]
    pub(crate) stores: StoreArgs,
}
