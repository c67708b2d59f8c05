//! `untar`, and what `mtree` shares with it: an archive from a file, stdin or chunks into a sink.

use std::ffi::OsString;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use desync_core::format::Strictness;
use desync_core::format::catar::Expected;
use desync_core::format::{FeatureFlags, Index};
use desync_engine::{
    Context, ExtractOptions, InvalidSeeds, MakeOptions, NoProgress, Phase, SeedSpec, WithPhase,
    extract_to_writer, make,
};
use desync_files::{Durability, HostDisk};
use desync_store::ChunkStore;
use desync_tree::{
    Error, Owners, RestoreOptions, Restorer, Sink, TarWriter, TreeSeeder, UnpackOptions, Unpacker,
    with_stream,
};

use super::losses::Losses;
use crate::args::{SourceArgs, StoreArgs, UntarArgs};
use crate::indexes;
use crate::output::{self, OutputFile, ProgressDisplay};
use crate::session::{Session, durability};
use crate::settings::{self, Location, UsageError, at_least_one, features, optional_location, workers};

/// Bytes of an archive read at a time.
const PIECE_LEN: usize = 1 << 20;

/// Where the tree goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Disk,
    Tar,
}

pub(super) fn run(args: &UntarArgs, session: &Session) -> anyhow::Result<()> {
    let format = match args.output_format.as_deref().unwrap_or("disk") {
        "disk" if args.target == "-" => {
            return Err(UsageError::new("only --output-format gnu-tar can be written to stdout").into());
        }
        "disk" => Format::Disk,
        "gnu-tar" => Format::Tar,
        other => return Err(UsageError::new(format!("invalid output format '{other}'")).into()),
    };
    let archive = Archive {
        input: &args.input,
        is_index: args.index.unwrap_or(false),
        source: &args.source,
        stores: &args.stores,
        seeds: &args.seed,
        durability: durability(args.no_sync),
        options: options(args)?,
    };
    archive.check()?;
    let losses = Losses::default();
    let owners = Owners::of_this_machine();
    let target = Path::new(&args.target);
    match format {
        Format::Disk => {
            let options = restore_options(args);
            let mut sink = Restorer::new(target, options, &owners, &losses, &session.cancel);
            archive.unpack(&mut sink, session, &ProgressDisplay::from_environment())?;
        }
        Format::Tar if args.target == "-" => {
            let mut out = output::stdout();
            let mut sink = TarWriter::new(&mut out, target, &losses);
            archive.unpack(&mut sink, session, &ProgressDisplay::beside_stdout())?;
            out.flush()?;
        }
        Format::Tar => {
            let mut out = OutputFile::create(target)?;
            let mut sink = TarWriter::new(&mut out, target, &losses);
            archive.unpack(&mut sink, session, &ProgressDisplay::from_environment())?;
            out.finish()?;
        }
    }
    losses.into_result()
}

fn options(args: &UntarArgs) -> Result<UnpackOptions, UsageError> {
    let lenient = args.lenient.unwrap_or(false);
    Ok(UnpackOptions {
        expected: Expected::default(),
        strictness: if lenient { Strictness::Lenient } else { Strictness::Strict },
        features: features(&args.features)? | HOW_IT_WAS_MADE,
        strip_nul_of_xattrs: args.go_xattrs.unwrap_or(false),
    })
}

fn restore_options(args: &UntarArgs) -> RestoreOptions {
    RestoreOptions {
        owners: !args.no_same_owner.unwrap_or(false),
        permissions: !args.no_same_permissions.unwrap_or(false),
        all_xattrs: args.all_xattrs.unwrap_or(false) || args.go_xattrs.unwrap_or(false),
        replace_directories: args.replace_directories.unwrap_or(false),
        sync: durability(args.no_sync) == Durability::Sync,
    }
}

/// Flags that are no features to choose.
pub(super) const HOW_IT_WAS_MADE: FeatureFlags = FeatureFlags::EXCLUDE_FILE
    .union(FeatureFlags::SHA512_256)
    .union(FeatureFlags::EXCLUDE_SUBMOUNTS)
    .union(FeatureFlags::EXCLUDE_NODUMP);

/// An archive, and how it is read.
pub(super) struct Archive<'a> {
    pub(super) input: &'a OsString,
    pub(super) is_index: bool,
    pub(super) source: &'a SourceArgs,
    pub(super) stores: &'a StoreArgs,
    pub(super) seeds: &'a [OsString],
    pub(super) durability: Durability,
    pub(super) options: UnpackOptions,
}

impl Archive<'_> {
    /// Checks what can be checked before anything is opened.
    pub(super) fn check(&self) -> Result<(), UsageError> {
        workers(self.stores.concurrency)?;
        if self.is_index {
            at_least_one(&self.source.store, "-i requires at least one store (-s <location>)")?;
        } else if !self.seeds.is_empty() {
            return Err(UsageError::new("--seed works only with -i"));
        }
        Ok(())
    }

    /// Hands the tree in the archive to a sink.
    pub(super) fn unpack(
        &self,
        sink: &mut dyn Sink,
        session: &Session,
        progress: &ProgressDisplay,
    ) -> anyhow::Result<()> {
        let workers = workers(self.stores.concurrency)?;
        let unpacking = WithPhase::new(progress, Phase::Unpacking);
        let context = Context { progress: &unpacking, ..session.context(workers, progress) };
        if self.is_index {
            self.unpack_chunks(sink, session, &context)
        } else {
            self.unpack_file(sink, &context)
        }
    }

    fn unpack_file(&self, sink: &mut dyn Sink, context: &Context<'_>) -> anyhow::Result<()> {
        let path = Path::new(self.input);
        let failed = || path.display().to_string();
        let (mut input, len): (Box<dyn Read>, _) = if self.input == "-" {
            (Box::new(io::stdin().lock()), None)
        } else {
            let file = File::open(path).with_context(failed)?;
            let found = file.metadata().with_context(failed)?;
            (Box::new(file), found.is_file().then_some(found.len()))
        };
        let expected = Expected { len, ..self.options.expected };
        let options = UnpackOptions { expected, ..self.options };
        let mut unpacker = Unpacker::new(path, options, sink, context.cancel);
        let mut buffer = vec![0; PIECE_LEN];
        context.progress.begin(Phase::Unpacking, len.unwrap_or(0));
        loop {
            match input.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    unpacker.push(&buffer[..count])?;
                    context.progress.advance(count as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => context.cancel.check()?,
                Err(error) => return Err(Error::file("read", path)(error).into()),
            }
        }
        finish(&mut unpacker)?;
        context.progress.end();
        Ok(())
    }

    fn unpack_chunks(
        &self,
        sink: &mut dyn Sink,
        session: &Session,
        context: &Context<'_>,
    ) -> anyhow::Result<()> {
        let stores = session.stores(self.stores, self.durability)?;
        let cache = optional_location(self.source.cache.as_ref());
        let store = stores.source(&self.source.store, cache.as_ref())?;
        let location = Location::new(self.input);
        let index = indexes::read(&location, session)?;
        let seeds = self.seeds(&index, session, context)?;
        let expected = Expected { features: Some(index.header.flags), len: Some(index.blob_len()) };
        let options = UnpackOptions { expected, ..self.options };
        let mut unpacker = Unpacker::new(Path::new(self.input), options, sink, context.cancel);
        let result = extract_to_writer(
            &HostDisk,
            &index,
            &mut unpacker,
            seeds,
            &store,
            &extract_options(self.durability),
            context,
        );
        if let Some(error) = unpacker.take_error() {
            return Err(error.into());
        }
        result?;
        finish(&mut unpacker)?;
        store.flush()?;
        Ok(())
    }

    fn seeds(
        &self,
        wanted: &Index,
        session: &Session,
        context: &Context<'_>,
    ) -> anyhow::Result<Vec<SeedSpec>> {
        let seeds = settings::archive_seeds(self.seeds)?.into_iter().enumerate();
        let read = |(number, seed): (usize, settings::SeedSetting)| {
            if seed.data.is_dir() {
                return tree_seed(number, seed.data, wanted, context);
            }
            let index = seed.index.map(|location| indexes::read(&location, session)).transpose()?;
            Ok(SeedSpec::file(seed.data, index))
        };
        seeds.map(read).collect()
    }
}

/// A tree as a seed: archived as the wanted archive was, and cut on the way. An index of it, if there is one, was
/// made of how the tree was then; this is how it is now.
fn tree_seed(
    number: usize,
    root: PathBuf,
    wanted: &Index,
    context: &Context<'_>,
) -> anyhow::Result<SeedSpec> {
    let header = &wanted.header;
    let owners = Owners::of_this_machine();
    let mut seeder = TreeSeeder::new(&root, header.flags)?;
    let options = MakeOptions { sizes: header.sizes, digest: header.digest(), ..MakeOptions::default() };
    let reading = Context { progress: &NoProgress, ..*context };
    let progress = WithPhase::new(context.progress, Phase::ChunkingSeed { seed: number, attempt: 1 });
    let cutting = Context { progress: &progress, ..*context };
    let mut index = None;
    with_stream(
        |out| seeder.archive(out, &owners, &reading),
        |input| make(input, None, &options, &mut index, &cutting),
    )?;
    let index: Index = index.context("internal error: a tree without an index")?;
    Ok(SeedSpec::made(root, index, Arc::new(seeder.into_seed()?)))
}

/// Declares the end, and tells what an archive of Go desync needs.
fn finish(unpacker: &mut Unpacker<'_>) -> anyhow::Result<()> {
    unpacker.finish()?;
    if unpacker.seems_to_have_nuls() {
        log::warn!(
            "every extended attribute ends with a NUL, as Go desync writes them: --go-xattrs takes them off"
        );
    }
    Ok(())
}

/// A seed that lies is done without.
fn extract_options(durability: Durability) -> ExtractOptions {
    ExtractOptions {
        in_place: false,
        invalid_seeds: InvalidSeeds::Skip,
        durability,
        // Seeds of trees have indexes.
        chunks_are_near: false,
        lookup_key: RandomState::new().hash_one("seed look-up"),
    }
}
