//! Seeds of an extraction: data, the index that says what it should be, and the look-up for plans.
//!
//! A seed is believed only chunk by chunk, when it is copied and hashed. One that cannot be opened, or lies,
//! is dealt with as the user said ([`crate::InvalidSeeds`]).

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use desync_core::block_io::{BlockRead, BlockShare};
use desync_core::format::{ChunkEntry, Index};
use desync_core::plan::Lookup;
use desync_core::{DigestKind, VerifiedChunk};
use desync_files::{Disk, Seed, TargetHandle};
use desync_store::Bytes;

use crate::context::WithPhase;
use crate::make::{FileInput, MakeOptions, MakeStats, make};
use crate::{Context, Error, InvalidSeeds, Phase, SeedRead, SeedSpec};

/// Makes an index of a seed that has none.
pub(crate) type Presume<'a> = dyn Fn(&Path) -> Result<Index, Error> + 'a;

/// A seed and its index.
pub(crate) struct SeedFile {
    path: PathBuf,
    index: Index,
    data: SeedData,
    /// Whether the index is a guess, which may be wrong without anybody having lied.
    is_presumed: bool,
}

/// The data of a seed, for one thread to read.
#[derive(Clone)]
pub(crate) enum SeedData {
    /// It can be read.
    Open(Seed),
    /// It is no file but can be read like one.
    Made(Arc<dyn SeedRead>),
    /// It could not be opened: an error only if a plan needs it.
    Unopened(Arc<io::Error>),
}

impl BlockRead for SeedData {
    type Error = io::Error;

    fn read(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        match self {
            Self::Open(seed) => seed.read(offset, buf),
            Self::Made(seed) => seed.read_at(offset, buf),
            Self::Unopened(error) => Err(io::Error::new(error.kind(), Arc::clone(error))),
        }
    }
}

impl BlockShare<SeedData> for TargetHandle {
    fn share(
        &mut self,
        source: &mut SeedData,
        source_offset: u64,
        offset: u64,
        len: u64,
    ) -> io::Result<Option<Range<u64>>> {
        match source {
            SeedData::Open(seed) => self.share(seed, source_offset, offset, len),
            SeedData::Made(_) | SeedData::Unopened(_) => Ok(None),
        }
    }
}

/// The slots of a seed's look-up; kept apart from the seed, which the look-up borrows.
pub(crate) type Slots = Vec<u64>;

impl SeedFile {
    /// Opens a seed; one without an index gets that which `presume` makes of its path, or else is cut. `None` if it
    /// cannot be used and that is allowed.
    pub(crate) fn open(
        disk: &dyn Disk,
        number: usize,
        spec: SeedSpec,
        options: &MakeOptions,
        invalid: InvalidSeeds,
        presume: Option<&Presume<'_>>,
        context: &Context<'_>,
    ) -> Result<Option<Self>, Error> {
        let path = spec.data;
        let opened = match spec.made {
            Some(made) => Ok(SeedData::Made(made)),
            None => Seed::open(disk, &path).map(SeedData::Open),
        };
        let data = match opened {
            Ok(data) => data,
            Err(error) if invalid == InvalidSeeds::Skip => {
                log::warn!("seed {} not used: {error}", path.display());
                return Ok(None);
            }
            Err(error) if spec.index.is_some() => SeedData::Unopened(Arc::new(error)),
            Err(error) => return Err(Error::file("open seed", &path)(error)),
        };
        let is_presumed = spec.index.is_none() && presume.is_some();
        let index = match spec.index {
            Some(index) if index.header.digest() != options.digest => {
                return Err(Error::Unsupported(format!(
                    "the index of seed {} names its chunks by {}, the wanted index by {}",
                    path.display(),
                    index.header.digest(),
                    options.digest
                )));
            }
            Some(index) => index,
            None => match presume {
                Some(presume) => presume(&path)?,
                None => cut(disk, &path, number, 1, options, context)?,
            },
        };
        Ok(Some(Self { path, index, data, is_presumed }))
    }

    /// Cuts the seed anew with the sizes of its own index.
    pub(crate) fn regenerate(
        &mut self,
        disk: &dyn Disk,
        number: usize,
        attempt: u32,
        options: &MakeOptions,
        context: &Context<'_>,
    ) -> Result<(), Error> {
        let options = MakeOptions { sizes: self.index.header.sizes, ..*options };
        self.index = cut(disk, &self.path, number, attempt, &options, context)?;
        self.is_presumed = false;
        Ok(())
    }

    /// Whether its index is a guess: then a chunk that is not what the index says is nothing to tell.
    pub(crate) const fn is_presumed(&self) -> bool {
        self.is_presumed
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) const fn index(&self) -> &Index {
        &self.index
    }

    /// The data, for one thread to read.
    pub(crate) fn data(&self) -> SeedData {
        self.data.clone()
    }

    /// What to tell about a seed that could not give what its index promised.
    pub(crate) fn invalid(&self) -> Error {
        match &self.data {
            SeedData::Open(_) | SeedData::Made(_) => Error::InvalidSeed { path: self.path.clone() },
            SeedData::Unopened(error) => {
                Error::file("open seed", &self.path)(io::Error::new(error.kind(), Arc::clone(error)))
            }
        }
    }

    /// One chunk that the seed's index puts at `start`.
    pub(crate) fn read_chunk(
        &self,
        start: u64,
        entry: &ChunkEntry,
        digest: DigestKind,
    ) -> Result<VerifiedChunk<Bytes>, Error> {
        let mut bytes = vec![0; entry.len() as usize];
        self.data().read(start, &mut bytes).map_err(Error::file("read seed", &self.path))?;
        VerifiedChunk::check(digest, entry.id, Bytes::from(bytes)).map_err(|_| self.invalid())
    }
}

/// Room for the look-up of a list of chunks.
pub(crate) fn slots_for(index: &Index) -> Result<Slots, Error> {
    let chunks = u32::try_from(index.items.len())
        .map_err(|_| Error::Index(format!("{} chunks are too many", index.items.len())))?;
    let needed = desync_core::plan::lookup::slots_needed(chunks);
    let mut slots = Slots::new();
    slots.try_reserve_exact(needed).map_err(|_| Error::Index(format!("no memory for {chunks} chunks")))?;
    slots.resize(needed, 0);
    Ok(slots)
}

/// The look-up of a list of chunks.
pub(crate) fn lookup<'a>(
    index: &'a Index,
    slots: &'a mut Slots,
    key: u64,
) -> Result<Lookup<'a, Index>, Error> {
    Lookup::build(index, slots, key).map_err(|error| Error::Index(error.to_string()))
}

fn cut(
    disk: &dyn Disk,
    path: &Path,
    seed: usize,
    attempt: u32,
    options: &MakeOptions,
    context: &Context<'_>,
) -> Result<Index, Error> {
    chunking_seed(disk, path, seed, attempt, context, |input, index, context| {
        make(input, None, options, index, context)
    })
}

/// Puts a seed through `cut`, which makes an index of it.
pub(crate) fn chunking_seed(
    disk: &dyn Disk,
    path: &Path,
    seed: usize,
    attempt: u32,
    context: &Context<'_>,
    cut: impl FnOnce(&mut FileInput, &mut Option<Index>, &Context<'_>) -> Result<MakeStats, Error>,
) -> Result<Index, Error> {
    let mut input = FileInput::open(disk, path)?;
    let progress = WithPhase::new(context.progress, Phase::ChunkingSeed { seed, attempt });
    let context = Context { progress: &progress, ..*context }.for_computing();
    let mut index = None;
    cut(&mut input, &mut index, &context)?;
    Ok(index.expect("make hands out a header"))
}
