//! What a plan amounts to: chunks and bytes by source.

use core::fmt;
use core::ops::AddAssign;

use super::chunk_list::ChunkList;
use super::planner::Planner;
use super::step::{Source, Step};

/// A number of chunks and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Amount {
    /// Chunks.
    pub chunks: u64,
    /// Bytes in them.
    pub bytes: u64,
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        self.chunks += other.chunks;
        self.bytes += other.bytes;
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} chunks ({} bytes)", self.chunks, self.bytes)
    }
}

/// A plan in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PlanSummary {
    /// Steps.
    pub steps: u64,
    /// Right in the target already.
    pub in_place: Amount,
    /// Zeros.
    pub zero: Amount,
    /// To be copied from seeds.
    pub seed: Amount,
    /// To be copied from earlier in the target.
    pub target: Amount,
    /// To be fetched.
    pub fetch: Amount,
}

impl PlanSummary {
    /// Counts a step that covers `bytes` bytes of the target.
    pub fn add(&mut self, step: &Step, bytes: u64) {
        self.steps += 1;
        let amount = match step.source {
            Source::InPlace => &mut self.in_place,
            Source::Zero => &mut self.zero,
            Source::Seed { .. } => &mut self.seed,
            Source::Target { .. } => &mut self.target,
            Source::Fetch => &mut self.fetch,
        };
        *amount += Amount { chunks: u64::from(step.count), bytes };
    }

    /// Runs a planner to its end.
    ///
    /// # Errors
    /// The lists' own.
    pub fn of<T: ChunkList, S: ChunkList<Error = T::Error>>(
        mut planner: Planner<'_, T, S>,
    ) -> Result<Self, T::Error> {
        let mut summary = Self::default();
        while let Some(step) = planner.next_step()? {
            summary.add(&step, step.byte_len(planner.target())?);
        }
        Ok(summary)
    }
}

impl fmt::Display for PlanSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} steps; in place: {}; zero: {}; from seeds: {}; from the target: {}; to fetch: {}",
            self.steps, self.in_place, self.zero, self.seed, self.target, self.fetch
        )
    }
}
