//! `make`.

use std::ffi::OsString;

use super::help;
use super::shared::{KeepArgs, StoreArgs};
use crate::settings::notation;

/// Cut a file into chunks and write its index
///
/// Reads the file once, cuts it where its content says so, and writes the list of chunks as an index. With
/// --store, the chunks the store lacks are compressed and stored on the way; the index is written last,
/// when all of them are safe. A store must exist. The file may be a block device, or '-' for stdin.
#[derive(clap::Args)]
#[command(after_help = help::MAKE)]
pub(crate) struct MakeArgs {
    /// Where to write the index; '-' for stdout
    #[arg(value_name = "index")]
    pub(crate) index: OsString,

    /// The file or block device to cut; '-' for stdin
    #[arg(value_name = "file")]
    pub(crate) file: OsString,

    #[command(flatten)]
    pub(crate) keep: KeepArgs,

    /// Print chunk counts as JSON on stderr when done
    #[arg(long, value_parser = notation::boolean)]
    pub(crate) print_stats: Option<bool>,

    #[command(flatten)]
    pub(crate) stores: StoreArgs,
}
