//! A plan taken apart into chunks, for a target that is written once from front to back.

use std::io::Write;

use desync_core::format::Index;
use desync_core::plan::{PlanInput, Planner, Source, Step, ZeroChunk};
use desync_store::ChunkStore;

use super::attempts::{STEP_LEN_MAX, plan_seeds};
use super::{ExtractOptions, InvalidSeeds};
use crate::seeds::{SeedFile, slots_for};
use crate::stream::{Piece, PieceSource, Supplies, deliver};
use crate::{Context, Error};

/// Plans with the seeds and writes the whole blob to `out`.
pub(super) fn deliver_planned(
    index: &Index,
    out: &mut dyn Write,
    seeds: &[SeedFile],
    store: &dyn ChunkStore,
    options: &ExtractOptions,
    context: &Context<'_>,
) -> Result<(), Error> {
    let mut slots = seeds.iter().map(|seed| slots_for(seed.index())).collect::<Result<Vec<_>, _>>()?;
    let plan_seeds = plan_seeds(seeds, &mut slots, options)?;
    let planner = Planner::new(PlanInput {
        target: index,
        in_place: None,
        zero: Some(ZeroChunk::of(&index.header)),
        seeds: &plan_seeds,
        own: None,
        step_len_max: STEP_LEN_MAX,
    });
    let supplies = Supplies {
        digest: index.header.digest(),
        store,
        seeds,
        // There is no second attempt at what has been written: regenerating comes to fetching.
        seeds_must_match: options.invalid_seeds == InvalidSeeds::Fail,
    };
    let pieces = Pieces { planner, index, seeds, step: None, taken: 0 };
    deliver(pieces.map(Ok), &(0..index.blob_len()), supplies, out, context)
}

/// The chunks of a plan's steps, in order.
struct Pieces<'a> {
    planner: Planner<'a, Index>,
    index: &'a Index,
    seeds: &'a [SeedFile],
    step: Option<Step>,
    /// Chunks of the step that have been handed out.
    taken: u32,
}

impl Iterator for Pieces<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        if self.step.is_none_or(|step| self.taken == step.count) {
            let Ok(step) = self.planner.next_step();
            self.step = step;
            self.taken = 0;
        }
        let step = self.step?;
        let entry = self.index.entry((step.first + self.taken) as usize)?;
        let from = match step.source {
            Source::Zero => PieceSource::Zero,
            Source::Seed { seed, first } => {
                let seed = usize::from(seed);
                let place = self.seeds[seed].index().entry((first + self.taken) as usize)?;
                PieceSource::Seed(seed, place.start)
            }
            Source::Fetch | Source::InPlace | Source::Target { .. } => PieceSource::Store,
        };
        self.taken += 1;
        Some(Piece { entry, from })
    }
}
