//! `extract`.

use std::ffi::OsString;

use super::help;
use super::shared::{SourceArgs, StoreArgs};
use crate::settings::notation;

/// Build a file or block device from an index
///
/// Takes every chunk from where it is cheapest: the output itself, seeds on this machine, and only then the
/// stores. A file appears under its name only when it is complete; with --in-place, and always on block
/// devices, the output is written directly, so that a run that was stopped can be taken up again. Output
/// '-' or a FIFO is written in order.
#[derive(clap::Args)]
#[command(after_help = help::EXTRACT)]
pub(crate) struct ExtractArgs {
    /// The index to read; '-' for stdin
    #[arg(value_name = "index")]
    pub(crate) index: OsString,

    /// The file, block device or FIFO to write; '-' for stdout
    #[arg(value_name = "output")]
    pub(crate) output: OsString,

    #[command(flatten)]
    pub(crate) source: SourceArgs,

    /// Data on this machine to take chunks from: INDEX.caibx with its data beside it, INDEX:DATA, or just
    /// DATA, a file or block device without an index; may be repeated
    #[arg(long, value_name = "SEED")]
    pub(crate) seed: Vec<OsString>,

    /// A seed as two words, whatever characters are in them; may be repeated
    #[arg(long, num_args = 2, value_names = ["INDEX", "DATA"])]
    pub(crate) seed_pair: Vec<OsString>,

    /// Take every .caibx file below this directory that has its data beside it as a seed; may be repeated
    #[arg(long, value_name = "DIR")]
    pub(crate) seed_dir: Vec<OsString>,

    /// Go on without seeds that are not what their index says
    #[arg(long, value_parser = notation::boolean)]
    pub(crate) skip_invalid_seeds: Option<bool>,

    /// Cut seeds that are not what their index says anew, in memory, and use what they really hold
    #[arg(long, value_parser = notation::boolean)]
    pub(crate) regenerate_invalid_seeds: Option<bool>,

    /// Write directly into the output, use what is right in it already, and keep it on failure
    #[arg(short = 'k', long, value_parser = notation::boolean)]
    pub(crate) in_place: Option<bool>,

    /// Print where chunks came from as JSON on stdout when done
    #[arg(long, value_parser = notation::boolean)]
    pub(crate) print_stats: Option<bool>,

    /// Do not wait for the disk: faster, but after a power cut the output may be empty or torn although
    /// this program said it was done
    #[arg(long, value_parser = notation::boolean)]
    pub(crate) no_sync: Option<bool>,

    #[command(flatten)]
    pub(crate) stores: StoreArgs,
}
