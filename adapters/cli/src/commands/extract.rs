//! `extract`.

use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use desync_core::format::Index;
use desync_engine::{
    Context, ExtractOptions, ExtractStats, InvalidSeeds, SeedSpec, extract, extract_to_writer,
};
use desync_files::{Disk, HostDisk};
use desync_store::ChunkStore;
use serde::Serialize;

use crate::args::ExtractArgs;
use crate::indexes;
use crate::output::{self, OutputFile, ProgressDisplay};
use crate::session::{Session, durability};
use crate::settings::{self, Location, SeedSetting, UsageError, at_least_one, optional_location, workers};
use crate::stores::and_flush;
use crate::system;

/// What `--print-stats` prints, in this order.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Printed {
    chunks_from_seeds: u64,
    chunks_from_store: u64,
    chunks_in_place: u64,
    bytes_copied_from_seeds: u64,
    bytes_cloned_from_seeds: u64,
    blocksize: u64,
    bytes_total: u64,
    chunks_total: u64,
    seeds: u64,
}

/// Where the blob goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    /// A file or block device, written at any place.
    Path,
    Stdout,
    Fifo,
}

pub(super) fn run(args: &ExtractArgs, session: &Session) -> anyhow::Result<()> {
    let workers = workers(args.stores.concurrency)?;
    let stores = session.stores(&args.stores, durability(args.no_sync))?;
    let output = output(args)?;
    let locations = at_least_one(&args.source.store, "no store provided")?;
    let options = ExtractOptions {
        in_place: args.in_place.unwrap_or(false),
        invalid_seeds: invalid_seeds(args)?,
        durability: stores.durability,
        chunks_are_near: locations.iter().all(|location| Location::new(location).is_on_this_machine()),
        lookup_key: RandomState::new().hash_one("seed look-up"),
    };
    let cache = optional_location(args.source.cache.as_ref());
    let location = Location::new(&args.index);
    let named = settings::named_seeds(args)?;
    indexes::only_one_from_stdin(named.iter().filter_map(|seed| seed.index.as_ref()).chain([&location]))?;

    let store = stores.source(&locations, cache.as_ref())?;
    let index = indexes::read(&location, session)?;
    let found = settings::seeds_in_directories(&args.seed_dir, &location)?;
    let seeds = named
        .into_iter()
        .chain(found)
        .filter_map(|seed| with_index(seed, options.invalid_seeds, session).transpose())
        .collect::<Result<_, _>>()?;
    let progress = ProgressDisplay::from_environment();
    let context = session.context(workers, &progress);
    let job = Job { index: &index, store: &store, options: &options, context };
    let stats = and_flush(&store, job.deliver(output, args.output.as_ref(), seeds))?;
    match stats.filter(|_| args.print_stats.unwrap_or(false)) {
        Some(stats) => output::print_json(&mut output::stdout(), &Printed::from(stats)),
        None => Ok(()),
    }
}

/// What is extracted and how.
struct Job<'a> {
    index: &'a Index,
    store: &'a dyn ChunkStore,
    options: &'a ExtractOptions,
    context: Context<'a>,
}

impl Job<'_> {
    /// Builds the blob. What is written in order has no statistics.
    fn deliver(
        &self,
        output: Output,
        path: &Path,
        seeds: Vec<SeedSpec>,
    ) -> anyhow::Result<Option<ExtractStats>> {
        match output {
            Output::Path => {
                let disk: Arc<dyn Disk> = Arc::new(HostDisk);
                let Self { index, store, options, context } = self;
                return Ok(Some(extract(&disk, index, path, seeds, *store, options, context)?));
            }
            Output::Stdout => {
                let mut out = output::stdout();
                self.to_writer(&mut out, seeds)?;
                out.flush()?;
            }
            Output::Fifo => {
                let mut out = OutputFile::create(path)?;
                self.to_writer(&mut out, seeds)?;
                out.finish()?;
            }
        }
        Ok(None)
    }

    fn to_writer(&self, out: &mut dyn Write, seeds: Vec<SeedSpec>) -> anyhow::Result<()> {
        extract_to_writer(&HostDisk, self.index, out, seeds, self.store, self.options, &self.context)?;
        Ok(())
    }
}

fn output(args: &ExtractArgs) -> Result<Output, UsageError> {
    let is_fifo = || Path::new(&args.output).metadata().is_ok_and(|found| system::is_fifo(found.file_type()));
    let output = match () {
        () if args.output == "-" => Output::Stdout,
        () if args.output == args.index => {
            return Err(UsageError::new("input and output filenames match"));
        }
        () if is_fifo() => Output::Fifo,
        () => Output::Path,
    };
    if output != Output::Path && args.print_stats.unwrap_or(false) {
        return Err(UsageError::new("--print-stats works only with a file or block device as output"));
    }
    Ok(output)
}

fn invalid_seeds(args: &ExtractArgs) -> Result<InvalidSeeds, UsageError> {
    match (args.skip_invalid_seeds.unwrap_or(false), args.regenerate_invalid_seeds.unwrap_or(false)) {
        (false, false) => Ok(InvalidSeeds::Fail),
        (true, false) => Ok(InvalidSeeds::Skip),
        (false, true) => Ok(InvalidSeeds::Regenerate),
        (true, true) => Err(UsageError::new(
            "is not possible to use at the same time --skip-invalid-seeds and --regenerate-invalid-seeds",
        )),
    }
}

/// A seed with its index read. If that fails, what was said about invalid seeds holds: the seed is left out,
/// or cut anew.
fn with_index(
    seed: SeedSetting,
    invalid: InvalidSeeds,
    session: &Session,
) -> anyhow::Result<Option<SeedSpec>> {
    let Some(location) = &seed.index else { return Ok(Some(SeedSpec::file(seed.data, None))) };
    match (indexes::read(location, session), invalid) {
        (Ok(index), _) => Ok(Some(SeedSpec::file(seed.data, Some(index)))),
        (Err(error), InvalidSeeds::Fail) => Err(error),
        (Err(error), InvalidSeeds::Skip) => {
            log::warn!("seed not used: {error}");
            Ok(None)
        }
        (Err(error), InvalidSeeds::Regenerate) => {
            log::warn!("seed {} is cut anew: {error}", seed.data.display());
            Ok(Some(SeedSpec::file(seed.data, None)))
        }
    }
}

impl From<ExtractStats> for Printed {
    fn from(stats: ExtractStats) -> Self {
        Self {
            chunks_from_seeds: stats.chunks_from_seeds,
            chunks_from_store: stats.chunks_from_store,
            chunks_in_place: stats.chunks_in_place,
            bytes_copied_from_seeds: stats.bytes_copied,
            bytes_cloned_from_seeds: stats.bytes_cloned,
            blocksize: stats.block_size,
            bytes_total: stats.bytes_total,
            chunks_total: stats.chunks_total,
            seeds: stats.seeds,
        }
    }
}
