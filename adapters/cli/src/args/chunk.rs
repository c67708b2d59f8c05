//! `chunk`.

use std::ffi::OsString;

use super::help;
use super::shared::ChunkSizeArg;
use crate::settings::notation;

/// Print where a file would be cut
///
/// Cuts without storing anything and prints start, length and ID of each chunk, separated by tabs. Good for
/// trying chunk sizes before `make`.
#[derive(clap::Args)]
#[command(after_help = help::CHUNK)]
pub(crate) struct ChunkArgs {
    /// The file or block device to cut; '-' for stdin
    #[arg(value_name = "file")]
    pub(crate) file: OsString,

    /// Byte to start at
    #[arg(short = 'S', long, value_name = "BYTES", value_parser = notation::unsigned)]
    pub(crate) start: Option<u64>,

    #[command(flatten)]
    pub(crate) chunk_size: ChunkSizeArg,
}
