//! The commands that mount: `mount-index` and `mount`.

use std::ffi::OsString;

use super::help;
use super::shared::{SourceArgs, StoreArgs};
use crate::settings::notation;

/// Mount the blob of an index as a file
///
/// One read-only file appears in the directory, named as the index without its last extension. Only what is
/// read is fetched. Stays in the foreground until it is unmounted, interrupted (Ctrl-C) or terminated. A chunk
/// that cannot be had is an input/output error for whoever reads it; the next read tries again.
#[derive(clap::Args)]
#[command(after_help = help::MOUNT_INDEX)]
pub(crate) struct MountIndexArgs {
    /// The index to read; '-' for stdin
    #[arg(value_name = "index")]
    pub(crate) index: OsString,

    /// The directory to mount at
    #[arg(value_name = "mountpoint")]
    pub(crate) mountpoint: OsString,

    #[command(flatten)]
    pub(crate) blob: MountedBlobArgs,
}

/// Mount an archive as a tree
///
/// The tree of a .catar archive, or of one behind a .caidx index, appears in the directory, read-only: files,
/// directories, links and devices with their owners, times and extended attributes. Names are found by the
/// archive's own tables, so of an index only what is touched is fetched. Names of owners and attributes of chattr
/// are not shown. Stays in the foreground until it is unmounted, interrupted (Ctrl-C) or terminated.
#[derive(clap::Args)]
#[command(after_help = help::MOUNT)]
pub(crate) struct MountArgs {
    /// The archive, or an index of one; '-' for an index from stdin
    #[arg(value_name = "archive|index")]
    pub(crate) archive: OsString,

    /// The directory to mount at
    #[arg(value_name = "mountpoint")]
    pub(crate) mountpoint: OsString,

    #[command(flatten)]
    pub(crate) blob: MountedBlobArgs,
}

/// How a mount comes by the bytes behind an index.
#[derive(clap::Args)]
pub(crate) struct MountedBlobArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,

    /// JSON file that names the stores and the cache; read again at SIGHUP
    #[arg(long, value_name = "FILE")]
    pub(crate) store_file: Option<OsString>,

    /// Sparse file that keeps everything that is read
    #[arg(long, value_name = "FILE")]
    pub(crate) cor_file: Option<OsString>,

    /// File that tells what is in the --cor-file; written at the end, at SIGHUP and every minute
    ///
    /// Without it the --cor-file is filled anew by each run.
    #[arg(long, value_name = "FILE")]
    pub(crate) cor_state_save: Option<OsString>,

    /// State file of another run whose chunks are fetched at once into a --cor-file that is new
    #[arg(long, value_name = "FILE")]
    pub(crate) cor_state_init: Option<OsString>,

    /// How many chunks --cor-state-init has fetched at a time [default: 10]
    #[arg(long, value_name = "N", value_parser = notation::integer)]
    pub(crate) cor_init_n: Option<i64>,

    #[command(flatten)]
    pub(crate) stores: StoreArgs,
}
