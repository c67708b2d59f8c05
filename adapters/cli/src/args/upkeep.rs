//! The commands that look after a store: `verify` and `prune`.

use std::ffi::OsString;
use std::time::Duration;

use super::help;
use super::shared::StoreArgs;
use crate::settings::notation;

/// Check every chunk of a local store
///
/// Reads each chunk in the store's form and names it again, whatever the config file says about skipping
/// that. Either digest will do unless --digest insists on one. Each bad chunk is told on stderr; with --repair it is removed, so that it can be stored again.
/// Exits 0 if the store is sound at the end: no chunk was bad, or every bad one was removed.
#[derive(clap::Args)]
#[command(after_help = help::VERIFY)]
pub(crate) struct VerifyArgs {
    /// The local store to check
    #[arg(short = 's', long, value_name = "DIR")]
    pub(crate) store: Option<OsString>,

    /// Remove bad chunks
    #[arg(short = 'r', long, value_parser = notation::boolean)]
    pub(crate) repair: Option<bool>,

    /// Workers; at least 1 [default: 10]
    #[arg(short = 'n', long, value_name = "N", value_parser = notation::integer)]
    pub(crate) concurrency: Option<i64>,
}

/// Remove the chunks of a store that no index names
///
/// Reads all indexes first, asks, then removes every chunk that none of them names, and what writers that
/// died left behind more than a day ago. Only chunks in the store's form are looked at.
///
/// Chunks that were stored, or found there by a `make`, within the grace period stay: the index that names
/// them may not be among yours yet. So other programs may write to the store meanwhile, if they take less
/// time than that. Go desync and casync do not note what they find.
#[derive(clap::Args)]
#[command(after_help = help::PRUNE)]
pub(crate) struct PruneArgs {
    /// The indexes whose chunks stay; one of them may be '-' for stdin
    #[arg(value_name = "index", required = true)]
    pub(crate) indexes: Vec<OsString>,

    /// The store to prune
    #[arg(short = 's', long, value_name = "LOCATION")]
    pub(crate) store: Option<OsString>,

    /// Do not ask
    #[arg(short = 'y', long, value_parser = notation::boolean)]
    pub(crate) yes: Option<bool>,

    /// Keep chunks that were stored or relied upon less than this long ago, and a little longer: up to ten minutes, in
    /// buckets and registries up to twelve hours; 0 keeps none [default: 24h]
    #[arg(long, value_name = "DURATION", value_parser = notation::duration)]
    pub(crate) grace_period: Option<Duration>,

    /// Print the IDs of the chunks that would be removed, and remove nothing
    #[arg(long, value_parser = notation::boolean)]
    pub(crate) dry_run: Option<bool>,

    #[command(flatten)]
    pub(crate) stores: StoreArgs,
}
