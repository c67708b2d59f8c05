//! Survey, plan and assemble, again if a seed had to be cut anew.
//!
//! Invariant: the attempts are bounded. Each seed is cut anew at most once; when one lies even then, the
//! last attempt fetches what seeds do not give (defect 29). Seeds of which something was presumed are looked at closer
//! at most once: when the store lacks a chunk, which one of them may hold.

use std::path::Path;

use desync_core::extract::{SeedPolicy, Tally};
use desync_core::format::Index;
use desync_core::plan::{Bits, PlanInput, PlanSeed, Planner, ZeroChunk, bits};
use desync_files::{Disk, Target};
use desync_store::{ChunkStore, ErrorKind};

use super::assemble::{Assembly, Progressed, assemble};
use super::survey::survey;
use super::{ExtractOptions, ExtractStats, InvalidSeeds, SeedSpec, cut_like};
use crate::compare::Comparison;
use crate::seeds::{SeedFile, Slots, lookup, slots_for};
use crate::{Context, Error, Phase};

/// Longest step in bytes: long enough that sharing takes few calls, short enough to occupy all workers.
pub(super) const STEP_LEN_MAX: u64 = 32 << 20;

/// One extraction under way.
pub(super) struct Extraction<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) index: &'a Index,
    pub(super) path: &'a Path,
    pub(super) target: &'a Target,
    pub(super) seeds: Vec<SeedFile>,
    /// Seeds that seemed not worth it.
    pub(super) left_out: Vec<SeedSpec>,
    pub(super) store: &'a dyn ChunkStore,
    pub(super) options: &'a ExtractOptions,
    pub(super) context: &'a Context<'a>,
}

impl Extraction<'_> {
    pub(super) fn run(mut self) -> Result<ExtractStats, Error> {
        let mut done = Done::new(self.index)?;
        self.survey(&mut done)?;
        let mut own_slots = slots_for(self.index)?;
        let mut tally = Tally::default();
        let mut policy = match self.options.invalid_seeds {
            InvalidSeeds::Skip => SeedPolicy::Fetch,
            InvalidSeeds::Fail | InvalidSeeds::Regenerate => SeedPolicy::Fail,
        };
        let mut cut_anew = vec![false; self.seeds.len()];
        let mut attempt = 1;
        loop {
            let progressed = match self.attempt(attempt, &mut done, &mut own_slots, policy) {
                Err(Error::Store(error)) if error.kind == ErrorKind::Missing && self.may_look_closer() => {
                    log::info!("{error}; looking for it in seeds that were not looked at closely");
                    attempt += 1;
                    self.look_closer(attempt)?;
                    cut_anew.resize(self.seeds.len(), false);
                    continue;
                }
                other => other?,
            };
            tally += progressed.tally;
            let Some(lying) = progressed.lying_seed else { return Ok(self.stats(&tally)) };
            if self.options.invalid_seeds != InvalidSeeds::Regenerate {
                return Err(self.seeds[lying].invalid());
            }
            attempt += 1;
            if std::mem::replace(&mut cut_anew[lying], true) {
                policy = SeedPolicy::Fetch;
            } else {
                let options = cut_like(self.index);
                self.seeds[lying].regenerate(self.disk, lying, attempt, &options, self.context)?;
            }
        }
    }

    /// Whether a seed may hold more than is known of it.
    fn may_look_closer(&self) -> bool {
        !self.left_out.is_empty() || self.seeds.iter().any(SeedFile::is_presumed)
    }

    /// Cuts all seeds of which something was presumed.
    fn look_closer(&mut self, attempt: u32) -> Result<(), Error> {
        let (disk, options, context) = (self.disk, cut_like(self.index), self.context);
        for (number, seed) in self.seeds.iter_mut().enumerate().filter(|(_, seed)| seed.is_presumed()) {
            seed.regenerate(disk, number, attempt, &options, context)?;
        }
        for spec in std::mem::take(&mut self.left_out) {
            let number = self.seeds.len();
            let invalid = self.options.invalid_seeds;
            self.seeds.extend(SeedFile::open(disk, number, spec, &options, invalid, None, context)?);
        }
        Ok(())
    }

    /// Marks what an existing target holds already.
    fn survey(&self, done: &mut Done) -> Result<(), Error> {
        if self.target.is_blank() {
            return Ok(());
        }
        let target = Comparison { index: self.index, file: &**self.target.file(), path: self.path };
        let mut right = done.bits();
        survey(target, self.context, |position| {
            right.set(position, true);
        })
    }

    /// Plans what is not done, and carries it out.
    fn attempt(
        &self,
        attempt: u32,
        done: &mut Done,
        own_slots: &mut Slots,
        seed_policy: SeedPolicy,
    ) -> Result<Progressed, Error> {
        let mut before = done.clone();
        let in_place = before.bits();
        let zero = ZeroChunk::of(&self.index.header);
        let mut slots =
            self.seeds.iter().map(|seed| slots_for(seed.index())).collect::<Result<Vec<_>, _>>()?;
        let plan_seeds = plan_seeds(&self.seeds, &mut slots, self.options)?;
        let planner = Planner::new(PlanInput {
            target: self.index,
            in_place: Some(&in_place),
            zero: Some(zero),
            seeds: &plan_seeds,
            own: Some(lookup(self.index, own_slots, self.options.lookup_key)?),
            step_len_max: STEP_LEN_MAX,
        });
        let assembly = Assembly {
            index: self.index,
            zero,
            target: self.target,
            path: self.path,
            seeds: &self.seeds,
            seed_policy,
            store: self.store,
        };
        self.context.progress.begin(Phase::Assembling { attempt }, self.index.blob_len());
        let progressed = assemble(planner, &assembly, &mut done.bits(), self.context)?;
        if progressed.lying_seed.is_none() {
            self.context.progress.end();
        }
        Ok(progressed)
    }

    fn stats(&self, tally: &Tally) -> ExtractStats {
        ExtractStats {
            chunks_from_seeds: tally.zero.chunks + tally.seed.chunks,
            chunks_from_store: tally.fetched.chunks,
            chunks_in_place: tally.in_place.chunks,
            bytes_copied: tally.copied_bytes(),
            bytes_cloned: tally.shared_bytes,
            block_size: self.target.block_size(),
            bytes_total: self.index.blob_len(),
            chunks_total: self.index.items.len() as u64,
            seeds: self.seeds.len() as u64 + 1,
        }
    }
}

/// The seeds as a plan sees them.
pub(super) fn plan_seeds<'a>(
    seeds: &'a [SeedFile],
    slots: &'a mut [Slots],
    options: &ExtractOptions,
) -> Result<Vec<PlanSeed<'a, Index>>, Error> {
    let pairs = seeds.iter().zip(slots);
    pairs
        .map(|(seed, slots)| {
            let lookup = lookup(seed.index(), slots, options.lookup_key)?;
            Ok(PlanSeed { lookup, step_len_max: STEP_LEN_MAX })
        })
        .collect()
}

/// Which chunks of the target are right, one bit each.
#[derive(Clone)]
struct Done {
    words: Vec<u64>,
    chunks: u32,
}

impl Done {
    fn new(index: &Index) -> Result<Self, Error> {
        let chunks = u32::try_from(index.items.len())
            .map_err(|_| Error::Index(format!("{} chunks are too many", index.items.len())))?;
        Ok(Self { words: vec![0; bits::words_needed(chunks)], chunks })
    }

    fn bits(&mut self) -> Bits<'_> {
        Bits::new(&mut self.words, self.chunks).expect("as many words as needed")
    }
}
