//! `extract`: an index, seeds and a store become a file or a device.
//!
//! 1. The target is opened or created; what it already holds is compared with the index (`survey`).
//! 2. Seeds without an index are cut (`seeds`), or it is presumed what they hold (`samples`, `presume`).
//! 3. The planner says where each chunk comes from; the workers run its steps (`assemble`).
//! 4. The target is synced and, unless it was written in place, renamed to its final name.
//!
//! Invariants
//! - A byte reaches the target only through `desync_core::extract`, that is: verified.
//! - The final name means the old file until the new one is complete and durable; a failed or cancelled run
//!   is an error (tests: `defect_1_…`).
//! - Whatever the number of workers, the result is that of `desync_core::extract::extract_all`.

mod assemble;
mod attempts;
mod pieces;
mod presume;
mod samples;
mod survey;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use desync_core::format::Index;
use desync_files::{Disk, Durability, Target, TargetError, TargetOptions};
use desync_store::ChunkStore;

use crate::make::MakeOptions;
use crate::seeds::{Presume, SeedFile};
use crate::{Context, Error};
use attempts::Extraction;
use presume::presume;
use samples::Sampling;

/// What to do about a seed whose data is not what its index says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InvalidSeeds {
    /// Fail.
    #[default]
    Fail,
    /// Take what the seed cannot give from elsewhere.
    Skip,
    /// Cut the seed anew, once, and plan again.
    Regenerate,
}

/// How to extract.
#[derive(Clone, Copy, Debug)]
pub struct ExtractOptions {
    /// Write into the target itself, keep what is right in it, and keep it on failure. Block devices are
    /// always written so.
    pub in_place: bool,
    /// What to do about seeds that lie.
    pub invalid_seeds: InvalidSeeds,
    /// Whether to wait until the target would survive a power cut.
    pub durability: Durability,
    /// Whether the store's chunks are on this machine. Then a long seed without an index is left out if too little is
    /// found in samples of it, and of others it is presumed what they hold: to name all their chunks would take longer
    /// than it saves.
    pub chunks_are_near: bool,
    /// A random number, so that nobody can prepare an index that makes look-ups slow.
    pub lookup_key: u64,
}

/// A seed: data that may hold chunks of the target.
#[derive(Debug)]
pub struct SeedSpec {
    /// A file or block device, or what to call data that are none.
    pub data: PathBuf,
    /// Its index; without one it is cut with the target's parameters.
    pub index: Option<Index>,
    /// Data that are no file; they have an index.
    pub made: Option<Arc<dyn SeedRead>>,
}

impl SeedSpec {
    /// A seed that is a file or block device.
    #[must_use]
    pub const fn file(data: PathBuf, index: Option<Index>) -> Self {
        Self { data, index, made: None }
    }

    /// A seed that is no file but can be read like one. Errors call it `name`.
    #[must_use]
    pub const fn made(name: PathBuf, index: Index, data: Arc<dyn SeedRead>) -> Self {
        Self { data: name, index: Some(index), made: Some(data) }
    }
}

/// Data of a seed that are no file.
pub trait SeedRead: std::fmt::Debug + Send + Sync {
    /// Fills `buffer` from `offset` on.
    ///
    /// # Errors
    /// The system's own. What is read may be wrong: it is hashed before it is used.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

/// Where the chunks came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtractStats {
    /// Chunks taken from seeds, null chunks among them.
    pub chunks_from_seeds: u64,
    /// Chunks asked of the store.
    pub chunks_from_store: u64,
    /// Chunks that were right in the target already.
    pub chunks_in_place: u64,
    /// Bytes copied from seeds and from elsewhere in the target.
    pub bytes_copied: u64,
    /// Bytes shared with seeds by reflink.
    pub bytes_cloned: u64,
    /// Block size of the target, 0 if there was nothing to write.
    pub block_size: u64,
    /// Bytes of the blob.
    pub bytes_total: u64,
    /// Chunks of the blob.
    pub chunks_total: u64,
    /// Seeds, the null seed among them, 0 if there was nothing to write.
    pub seeds: u64,
}

/// Rebuilds the blob of `index` in `path`, from seeds, what the target holds, and `store`.
///
/// # Errors
/// [`Error`]. Without `in_place` the file at `path` is as it was then; in place, what was finished stays
/// and the next run finds it.
pub fn extract(
    disk: &Arc<dyn Disk>,
    index: &Index,
    path: &Path,
    seeds: Vec<SeedSpec>,
    store: &dyn ChunkStore,
    options: &ExtractOptions,
    context: &Context<'_>,
) -> Result<ExtractStats, Error> {
    refuse_target_as_seed(&**disk, path, &seeds, options)?;
    let (seeds, left_out) = open_seeds(&**disk, index, seeds, true, options, context)?;
    let target_options = TargetOptions { in_place: options.in_place, durability: options.durability };
    let target = Target::open(Arc::clone(disk), path, index.blob_len(), target_options)
        .map_err(|error| target_error(path, error))?;
    let stats = if index.items.is_empty() {
        ExtractStats::default()
    } else {
        let disk = &**disk;
        Extraction { disk, index, path, target: &target, seeds, left_out, store, options, context }.run()?
    };
    context.cancel.check()?;
    target.finish().map_err(Error::file("publish", path))?;
    Ok(stats)
}

/// Writes the blob of `index` to `out`, in order: for pipes and FIFOs. Seeds help as far as they can; what
/// has been written is not read back.
///
/// # Errors
/// As [`extract`]; what had been written by then is out.
pub fn extract_to_writer(
    disk: &dyn Disk,
    index: &Index,
    out: &mut dyn Write,
    seeds: Vec<SeedSpec>,
    store: &dyn ChunkStore,
    options: &ExtractOptions,
    context: &Context<'_>,
) -> Result<(), Error> {
    let (seeds, _) = open_seeds(disk, index, seeds, false, options, context)?;
    pieces::deliver_planned(index, out, &seeds, store, options, context)
}

/// Opens the seeds, in the order given. Those without an index are cut like the target; where chunks are near, what they
/// hold is presumed, and long ones that seem not worth that are given apart. Both may be looked at closer later, if that
/// is possible: where chunks are written once, only what seems to have nothing in common is left out.
fn open_seeds(
    disk: &dyn Disk,
    index: &Index,
    seeds: Vec<SeedSpec>,
    may_look_closer: bool,
    options: &ExtractOptions,
    context: &Context<'_>,
) -> Result<(Vec<SeedFile>, Vec<SeedSpec>), Error> {
    let make_options = cut_like(index);
    let sampling = if may_look_closer { Sampling::DEFAULT } else { Sampling::FOR_NOTHING_AT_ALL };
    let may_presume = options.chunks_are_near && may_look_closer && !make_options.sizes.is_fixed();
    let (mut open, mut left_out) = (Vec::new(), Vec::new());
    for (number, spec) in seeds.into_iter().enumerate() {
        if options.chunks_are_near
            && spec.index.is_none()
            && samples::find_too_little(disk, &spec.data, index, &make_options, sampling, context)?
        {
            log::info!("seed {} not used: samples have too little in common", spec.data.display());
            left_out.push(spec);
            continue;
        }
        let presume =
            |path: &Path| presume(disk, path, number, index, &make_options, options.lookup_key, context);
        let presume = may_presume.then_some(&presume as &Presume<'_>);
        let seed =
            SeedFile::open(disk, number, spec, &make_options, options.invalid_seeds, presume, context)?;
        open.extend(seed);
    }
    Ok((open, left_out))
}

/// How seeds are cut: as the target was.
fn cut_like(index: &Index) -> MakeOptions {
    MakeOptions { sizes: index.header.sizes, digest: index.header.digest(), ..MakeOptions::default() }
}

/// A target that is written in place would change under the plan that copies from it as a seed.
fn refuse_target_as_seed(
    disk: &dyn Disk,
    path: &Path,
    seeds: &[SeedSpec],
    options: &ExtractOptions,
) -> Result<(), Error> {
    let in_place = options.in_place
        || matches!(desync_files::TargetKind::of(disk, path), Ok(desync_files::TargetKind::BlockDevice));
    let resolve = |path: &Path| desync_files::resolve_links(disk, path).ok();
    if in_place && seeds.iter().any(|seed| resolve(&seed.data) == resolve(path)) {
        let reason = "is written in place and cannot be a seed; what it holds in its place is kept anyway";
        return Err(Error::Target { path: path.to_owned(), reason: reason.into() });
    }
    Ok(())
}

fn target_error(path: &Path, error: TargetError) -> Error {
    match error {
        TargetError::Io(source) => Error::file("open", path)(source),
        other => Error::Target { path: path.to_owned(), reason: other.to_string() },
    }
}

#[cfg(test)]
mod tests;
