//! One step of a plan: a run of neighbouring chunks of the target and where their bytes come from.

use core::ops::Range;

use super::chunk_list::ChunkList;

/// A run of neighbouring chunks of the target index with one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Step {
    /// Position of the run's first chunk in the target's index.
    pub first: u32,
    /// Number of chunks, at least 1.
    pub count: u32,
    /// Where their bytes come from.
    pub source: Source,
}

/// Where the bytes of a step come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Source {
    /// The target holds them already.
    InPlace,
    /// They are zeros: chunks of the index's maximum length and the name of that many zeros.
    Zero,
    /// A run of the same chunks in a seed, from position `first` of that seed's index on.
    Seed {
        /// Which seed, in the order they were given to the planner.
        seed: u16,
        /// Position of the run's first chunk in the seed's index.
        first: u32,
    },
    /// The same chunks earlier in the target, from position `first` on; that run ends before this step
    /// begins, and an earlier step (or `InPlace`) puts it there.
    Target {
        /// Position of the run's first chunk in the target's index.
        first: u32,
    },
    /// The chunk source. One chunk a step.
    Fetch,
}

impl Step {
    /// First position behind the run.
    #[must_use]
    pub const fn until(&self) -> u32 {
        self.first.saturating_add(self.count)
    }

    /// Bytes of the target that the run covers.
    ///
    /// # Errors
    /// The list's own.
    pub fn byte_len<L: ChunkList>(&self, target: &L) -> Result<u64, L::Error> {
        let range = self.byte_range(target)?;
        Ok(range.end - range.start)
    }

    /// Where in the target the run lies.
    ///
    /// # Errors
    /// The list's own.
    pub fn byte_range<L: ChunkList>(&self, target: &L) -> Result<Range<u64>, L::Error> {
        let start = target.entry(self.first)?.start;
        Ok(start..target.entry(self.until().saturating_sub(1))?.end)
    }
}
