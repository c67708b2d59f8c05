//! `cache`.

use desync_core::chunk_source::{Wanted, WantedLen};
use desync_engine::{ChunkSet, copy};

use super::ignored;
use crate::args::CacheArgs;
use crate::indexes;
use crate::output::ProgressDisplay;
use crate::session::{Session, durability};
use crate::settings::{Location, Profile, at_least_one, one_location, workers};

pub(super) fn run(args: &CacheArgs, session: &Session) -> anyhow::Result<()> {
    let workers = workers(args.stores.concurrency)?;
    let mut stores = session.stores(&args.stores, durability(args.no_sync))?;
    stores.compression = Profile::new(&args.profile)?.compression();
    let sources = at_least_one(&args.store, "no source store provided")?;
    let target = one_location(args.cache.as_ref(), "no target cache store provided")?;
    let locations: Vec<Location> = args.indexes.iter().map(Location::new).collect();
    let ignored_indexes = ignored::indexes_of(&args.ignore)?;
    indexes::only_one_from_stdin(locations.iter().chain(&ignored_indexes))?;

    let source = stores.source(&sources, None)?;
    let target = stores.target(&target)?;
    let ignored = ignored::chunks(&ignored_indexes, &args.ignore, session)?;
    let wanted = wanted(&locations, &ignored, session)?;
    let progress = ProgressDisplay::from_environment();
    let context = session.context(workers, &progress);
    copy(wanted, &source, &target, &context)?;
    Ok(())
}

/// The chunks of all indexes but the ignored ones, repeats included.
fn wanted(locations: &[Location], ignored: &ChunkSet, session: &Session) -> anyhow::Result<Vec<Wanted>> {
    let mut wanted = Vec::new();
    for location in locations {
        indexes::for_each_chunk(location, session, |header, entry| {
            if !ignored.contains(&entry.id) {
                let len = WantedLen::Exactly(entry.len());
                wanted.push(Wanted { id: entry.id, digest: header.digest(), len });
            }
            Ok(())
        })?;
    }
    Ok(wanted)
}
