//! `make`.

use desync_core::DigestKind;
use desync_engine::{MakeOptions, MakeStats, make};
use desync_store::ChunkStore;
use serde::Serialize;

use super::input;
use crate::args::MakeArgs;
use crate::indexes::Destination;
use crate::output::{self, ProgressDisplay};
use crate::session::{Session, durability};
use crate::settings::{Location, Profile, cut_rule, optional_location, workers};

/// What `--print-stats` prints.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Printed {
    chunks_accepted: u64,
    chunks_produced: u64,
}

pub(super) fn run(args: &MakeArgs, session: &Session) -> anyhow::Result<()> {
    let workers = workers(args.stores.concurrency)?;
    let profile = Profile::new(&args.keep.profile)?;
    let mut stores = session.stores(&args.stores, durability(args.keep.no_sync))?;
    stores.compression = profile.compression();
    let options = MakeOptions {
        sizes: profile.sizes(&args.keep.chunk_size)?,
        rule: cut_rule(&args.keep.chunk_size)?,
        digest: session.digest.unwrap_or(DigestKind::Sha512_256),
    };
    let target = optional_location(args.keep.store.as_ref());

    let store = target.map(|target| stores.target(&target)).transpose()?;
    let mut input = input::open(&args.file)?;
    let mut destination = Destination::new(&Location::new(&args.index), stores.durability, session)?;
    let progress = ProgressDisplay::from_environment();
    let context = session.context(workers, &progress);
    let store = store.as_ref().map(|store| store as &dyn ChunkStore);
    let stats = make(&mut input, store, &options, &mut destination, &context)?;
    session.cancel.check()?;
    if args.print_stats.unwrap_or(false) {
        output::say(serde_json::to_string_pretty(&Printed::from(stats))?);
    }
    destination.publish()
}

impl From<MakeStats> for Printed {
    /// The input is cut once, whatever the number of workers: nothing is produced that is not accepted.
    fn from(stats: MakeStats) -> Self {
        Self { chunks_accepted: stats.chunks, chunks_produced: stats.chunks }
    }
}
