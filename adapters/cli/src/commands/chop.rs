//! `chop`.

use std::path::Path;

use desync_engine::chop;
use desync_files::HostDisk;

use super::ignored;
use crate::args::ChopArgs;
use crate::indexes;
use crate::output::ProgressDisplay;
use crate::session::{Session, durability};
use crate::settings::{Location, Profile, one_location, workers};

pub(super) fn run(args: &ChopArgs, session: &Session) -> anyhow::Result<()> {
    let workers = workers(args.stores.concurrency)?;
    let mut stores = session.stores(&args.stores, durability(args.no_sync))?;
    stores.compression = Profile::new(&args.profile)?.compression();
    let target = one_location(args.store.as_ref(), "no target store provided")?;
    let location = Location::new(&args.index);
    let ignored_indexes = ignored::indexes_of(&args.ignore)?;
    indexes::only_one_from_stdin(ignored_indexes.iter().chain([&location]))?;

    let store = stores.target(&target)?;
    let index = indexes::read(&location, session)?;
    let ignored = ignored::chunks(&ignored_indexes, &args.ignore, session)?;
    let progress = ProgressDisplay::from_environment();
    let context = session.context(workers, &progress);
    chop(&index, &ignored, &HostDisk, Path::new(&args.file), &store, &context)?;
    Ok(())
}
