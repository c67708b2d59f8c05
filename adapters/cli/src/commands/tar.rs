//! `tar`.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context as _;
use desync_core::DigestKind;
use desync_core::format::FeatureFlags;
use desync_engine::{Context, Error, MakeOptions, NoProgress, Phase, make};
use desync_store::ChunkStore;
use desync_tree::{
    ArchiveWriter, Owners, PackOptions, Sink, TarInput, TarOptions, TarSource, pack, with_stream,
};

use super::losses::Losses;
use crate::args::TarArgs;
use crate::indexes::Destination;
use crate::output::{self, OutputFile, ProgressDisplay};
use crate::session::{Session, durability};
use crate::settings::{Location, Profile, UsageError, cut_rule, features, optional_location, workers};

/// What is archived.
enum Input {
    Disk(PackOptions),
    Tar(TarOptions),
}

/// All that making the archive takes.
struct Job<'a> {
    source: &'a OsStr,
    input: Input,
    features: FeatureFlags,
    owners: Owners,
    losses: Losses,
}

pub(super) fn run(args: &TarArgs, session: &Session) -> anyhow::Result<()> {
    let workers = workers(args.stores.concurrency)?;
    let is_index = args.index.unwrap_or(false);
    let features = wanted(args, session)?;
    let job = Job {
        source: &args.source,
        input: input(args, features)?,
        features,
        owners: Owners::of_this_machine(),
        losses: Losses::default(),
    };
    let output = Path::new(&args.output);
    if is_index {
        let progress = ProgressDisplay::from_environment();
        job.to_store(args, session, &session.context(workers, &progress))?;
    } else if args.output == "-" {
        let progress = ProgressDisplay::beside_stdout();
        // Buffered by the archiver already.
        let mut out = output::stdout();
        job.write(&mut out, output, &session.context(workers, &progress))?;
        out.flush()?;
    } else {
        let progress = ProgressDisplay::from_environment();
        let mut out = OutputFile::create(output)?;
        job.write(&mut out, output, &session.context(workers, &progress))?;
        out.finish()?;
    }
    job.losses.into_result()
}

impl Job<'_> {
    /// Writes the archive, and shows the bytes read on the way.
    fn write(&self, out: &mut dyn Write, name: &Path, context: &Context<'_>) -> Result<(), Error> {
        context.progress.begin(Phase::Archiving, 0);
        self.produce(out, name, context)?;
        context.progress.end();
        Ok(())
    }

    fn produce(&self, out: &mut dyn Write, name: &Path, context: &Context<'_>) -> Result<(), Error> {
        let mut archive = ArchiveWriter::new(out, name, self.features)?;
        self.pass(&mut archive, context)
    }

    fn pass(&self, sink: &mut dyn Sink, context: &Context<'_>) -> Result<(), Error> {
        let source = Path::new(self.source);
        match &self.input {
            Input::Disk(options) => pack(source, options, &self.owners, &self.losses, sink, context),
            Input::Tar(options) => {
                let stream = tar_source(source).map_err(Error::file("open", source))?;
                let (owners, losses) = (&self.owners, &self.losses);
                TarInput::read(stream, source, *options, owners, losses, *context)?.pass(sink)
            }
        }
    }

    /// Cuts the archive while it is made, keeps its chunks, and writes its index last.
    fn to_store(&self, args: &TarArgs, session: &Session, context: &Context<'_>) -> anyhow::Result<()> {
        let profile = Profile::new(&args.keep.profile)?;
        let mut stores = session.stores(&args.stores, durability(args.keep.no_sync))?;
        stores.compression = profile.compression();
        let options = MakeOptions {
            sizes: profile.sizes(&args.keep.chunk_size)?,
            rule: cut_rule(&args.keep.chunk_size)?,
            digest: self.features.digest(),
        };
        let target = optional_location(args.keep.store.as_ref())
            .ok_or_else(|| UsageError::new("-i requires a store (-s <location>)"))?;
        let store = stores.target(&target)?;
        let mut destination = Destination::new(&Location::new(&args.output), stores.durability, session)?;
        // The pipeline shows what was cut and kept; what was read is no news then.
        let reading = Context { progress: &NoProgress, ..*context };
        let store = &store as &dyn ChunkStore;
        with_stream(
            |out| self.produce(out, Path::new(&args.source), &reading),
            |input| make(input, Some(store), &options, &mut destination, context),
        )?;
        session.cancel.check()?;
        destination.publish().with_context(|| "index")
    }
}

/// What is recorded, in normal form.
fn wanted(args: &TarArgs, session: &Session) -> Result<FeatureFlags, UsageError> {
    const TIMES: FeatureFlags = FeatureFlags::SEC_TIME
        .union(FeatureFlags::USEC_TIME)
        .union(FeatureFlags::NSEC_TIME)
        .union(FeatureFlags::TWO_SEC_TIME);
    let mut wanted = features(&args.features)?;
    if args.no_time.unwrap_or(false) {
        wanted = wanted.difference(TIMES);
    }
    if args.exclude_nodump.unwrap_or(false) {
        wanted |= FeatureFlags::EXCLUDE_NODUMP;
    }
    if args.one_file_system.unwrap_or(false) {
        wanted |= FeatureFlags::EXCLUDE_SUBMOUNTS;
    }
    Ok(wanted.normal_form().with_digest(session.digest.unwrap_or(DigestKind::Sha512_256)))
}

fn input(args: &TarArgs, features: FeatureFlags) -> Result<Input, UsageError> {
    let copy_hard_links = args.copy_hard_links.unwrap_or(false);
    let add_root = args.tar_add_root.unwrap_or(false);
    match args.input_format.as_deref().unwrap_or("disk") {
        "disk" if add_root => Err(UsageError::new("--tar-add-root works only with --input-format tar")),
        "disk" if args.source == "-" => Err(UsageError::new("stdin is read only with --input-format tar")),
        "disk" => {
            let one_file_system = args.one_file_system.unwrap_or(false);
            Ok(Input::Disk(PackOptions { features, one_file_system, copy_hard_links }))
        }
        "tar" => Ok(Input::Tar(TarOptions { features, add_root, copy_hard_links })),
        other => Err(UsageError::new(format!("invalid input format '{other}'"))),
    }
}

/// A tar stream: a file keeps its bytes where they are, anything else gives them once.
fn tar_source(path: &Path) -> io::Result<TarSource> {
    if path == Path::new("-") {
        return Ok(TarSource::Stream(Box::new(io::stdin())));
    }
    let file = File::open(path)?;
    if file.metadata()?.is_file() { Ok(TarSource::File(file)) } else { Ok(TarSource::Stream(Box::new(file))) }
}
