//! The simple executor: one step after the other, then a sync. The oracle for any parallel one.

use super::env::{Env, Observer};
use super::error::{ExtractError, Operation, target};
use super::runner::{StepError, StepRunner};
use super::tally::{StepOutcome, Tally};
use crate::block_io::{BlockRead, BlockShare};
use crate::chunk_source::ChunkSource;
use crate::plan::{ChunkList, Planner, Step};

/// Runs a planner's steps in order and makes the target durable.
///
/// `checkpoint` is called after each step with the target, so that progress can be synced and noted. The
/// planner may have given steps before: extraction goes on from where it stands.
///
/// # Errors
/// Those of [`StepRunner::run`]; [`ExtractError::Target`] also for what `checkpoint` and the last sync said;
/// [`ExtractError::List`] for the planner's. Steps before the one that failed are in the target.
pub fn extract_all<T, L, D, S, C>(
    planner: &mut Planner<'_, T, L>,
    runner: &mut StepRunner,
    env: &mut Env<'_, '_, T, L, D, S, C>,
    observer: &mut impl Observer,
    mut checkpoint: impl FnMut(&mut D, &Step, &StepOutcome) -> Result<(), D::Error>,
) -> Result<Tally, StepError<T, D, S, C>>
where
    T: ChunkList,
    L: ChunkList<Error = T::Error>,
    D: BlockShare<S>,
    S: BlockRead,
    C: ChunkSource,
{
    let mut tally = Tally::default();
    while let Some(step) = planner.next_step().map_err(ExtractError::List)? {
        let outcome = runner.run(&step, env, observer)?;
        tally += outcome.tally;
        let range = step.byte_range(env.list).map_err(ExtractError::List)?;
        checkpoint(env.target, &step, &outcome).map_err(target(Operation::Checkpoint, range.end))?;
    }
    env.target.sync().map_err(target(Operation::Sync, 0))?;
    Ok(tally)
}
