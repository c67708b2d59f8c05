//! Which bytes come from where, decided chunk by chunk in one pass.
//!
//! The rules, in order: what is in place stays; zeros are made; the longest run that a seed has is copied
//! (of equal ones the earlier seed's); then the longest run that lies earlier in the target; what nobody
//! has is fetched, one chunk a step.
//!
//! A step is never longer than its limit, so that steps can be shared out among workers; and it never
//! covers a chunk for which an earlier rule holds, so that nothing is written that is right already.
//!
//! Invariants
//! - Steps cover the target once, in order (property test in `tests/plan_properties.rs`).
//! - A chunk is fetched only if no seed and no earlier position of the target has it (same place).
//! - Time is linear. For each chunk the candidates are the first occurrence of its ID and the run that the
//!   step before was copied from; all candidate runs of a step are no longer than the step it becomes, so no
//!   chunk is compared more than twice a seed (test: `defect_65_…`).

use super::bits::Bits;
use super::chunk_list::ChunkList;
use super::lookup::{BATCH, Lookup};
use super::step::{Source, Step};
use super::zero::ZeroChunk;
use crate::format::ChunkEntry;

/// A seed as plans see it: what it holds, not where.
#[derive(Debug)]
pub struct PlanSeed<'a, S> {
    /// Its chunks by ID.
    pub lookup: Lookup<'a, S>,
    /// Longest step that may be copied from it, in bytes. Where copying shares storage instead of moving
    /// bytes, long steps are better.
    pub step_len_max: u64,
}

/// All that a plan is made from.
#[derive(Debug)]
pub struct PlanInput<'a, T, S> {
    /// The chunks wanted.
    pub target: &'a T,
    /// Which positions the target holds already; `None` if nothing is known of it.
    pub in_place: Option<&'a Bits<'a>>,
    /// The chunk of zeros, if the target can make zeros more cheaply than by copying.
    pub zero: Option<ZeroChunk>,
    /// The seeds, best first; those beyond 65536 are not used.
    pub seeds: &'a [PlanSeed<'a, S>],
    /// The target's own chunks by ID; `None` if the target cannot be read back, as a pipe cannot.
    pub own: Option<Lookup<'a, T>>,
    /// Longest step of any other kind, in bytes. A step has at least one chunk, however long.
    pub step_len_max: u64,
}

/// Makes a plan step by step; it is never held as a whole.
#[derive(Debug)]
pub struct Planner<'a, T, S = T> {
    input: PlanInput<'a, T, S>,
    progress: Progress,
}

/// How far a plan has come; the default is its beginning.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    position: u32,
    trail: Option<Trail>,
    /// First position whose slots have not been touched.
    touched: u32,
}

/// Where the last copied step came from. The run may go on there, behind what was in between.
#[derive(Clone, Copy, Debug)]
struct Trail {
    origin: Origin,
    /// Position in the origin minus position in the target.
    shift: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Seed(u16),
    Target,
}

/// The longest run found so far for a step.
#[derive(Clone, Copy, Default)]
struct Run {
    /// Position of its first chunk in its origin.
    from: u32,
    count: u32,
    bytes: u64,
}

/// Where in an origin a run may lie.
struct Bounds {
    /// First position that may not be used.
    until: u32,
    /// Longest run in bytes.
    len_max: u64,
}

impl<'a, T: ChunkList, S: ChunkList<Error = T::Error>> Planner<'a, T, S> {
    /// A planner at the start of the target.
    #[must_use]
    pub fn new(input: PlanInput<'a, T, S>) -> Self {
        Self::resume(input, Progress::default())
    }

    /// A planner that goes on where one with the same input stood.
    #[must_use]
    pub const fn resume(input: PlanInput<'a, T, S>, progress: Progress) -> Self {
        Self { input, progress }
    }

    /// How far it has come.
    #[must_use]
    pub const fn progress(&self) -> Progress {
        self.progress
    }

    /// The chunks wanted.
    #[must_use]
    pub const fn target(&self) -> &'a T {
        self.input.target
    }

    /// The next step; `None` once the target is covered.
    ///
    /// # Errors
    /// The lists' own. The same step can be asked for again.
    pub fn next_step(&mut self) -> Result<Option<Step>, T::Error> {
        let first = self.progress.position;
        if first >= self.input.target.len() {
            return Ok(None);
        }
        let entry = self.input.target.entry(first)?;
        let step = match self.settled(first, &entry) {
            Some(source) => Step { first, count: self.settled_run(first, &entry, source)?, source },
            None => self.unsettled_step(first, &entry)?,
        };
        self.progress.trail = Self::trail_of(&step).or(self.progress.trail);
        self.progress.position += step.count;
        Ok(Some(step))
    }

    /// What a chunk is without looking at anybody else's chunks.
    #[inline]
    fn settled(&self, position: u32, entry: &ChunkEntry) -> Option<Source> {
        if self.input.in_place.is_some_and(|bits| bits.get(position)) {
            return Some(Source::InPlace);
        }
        self.input.zero.filter(|zero| zero.is(entry)).map(|_| Source::Zero)
    }

    /// Number of chunks from `first` on that are settled in the same way.
    fn settled_run(&self, first: u32, entry: &ChunkEntry, source: Source) -> Result<u32, T::Error> {
        let start = entry.start;
        let mut position = first + 1;
        while position < self.input.target.len() {
            let entry = self.input.target.entry(position)?;
            let fits = entry.end - start <= self.input.step_len_max;
            if !fits || self.settled(position, &entry) != Some(source) {
                break;
            }
            position += 1;
        }
        Ok(position - first)
    }

    fn unsettled_step(&mut self, first: u32, entry: &ChunkEntry) -> Result<Step, T::Error> {
        self.touch_ahead(first)?;
        if let Some((seed, run)) = self.longest_in_seeds(first, entry)? {
            return Ok(Step { first, count: run.count, source: Source::Seed { seed, first: run.from } });
        }
        let run = self.longest_in_target(first, entry)?;
        if run.count > 0 {
            return Ok(Step { first, count: run.count, source: Source::Target { first: run.from } });
        }
        Ok(Step { first, count: 1, source: Source::Fetch })
    }

    /// Where many chunks are looked up one after the other, has the memory's answers overlap.
    fn touch_ahead(&mut self, first: u32) -> Result<(), T::Error> {
        if !T::IN_MEMORY || first < self.progress.touched {
            return Ok(());
        }
        self.progress.touched = first.saturating_add(BATCH).min(self.input.target.len());
        for position in first..self.progress.touched {
            let id = self.input.target.id(position)?;
            self.input.seeds.iter().for_each(|seed| seed.lookup.touch(&id));
            self.input.own.iter().for_each(|own| own.touch(&id));
        }
        Ok(())
    }

    fn longest_in_seeds(&self, first: u32, entry: &ChunkEntry) -> Result<Option<(u16, Run)>, T::Error> {
        let mut longest: Option<(u16, Run)> = None;
        for (number, seed) in (0..=u16::MAX).zip(self.input.seeds) {
            let bounds = Bounds { until: seed.lookup.list().len(), len_max: seed.step_len_max };
            let run = self.longest_run(Origin::Seed(number), &seed.lookup, first, entry, &bounds)?;
            if run.bytes > longest.map_or(0, |(_, run)| run.bytes) {
                longest = Some((number, run));
            }
        }
        Ok(longest)
    }

    fn longest_in_target(&self, first: u32, entry: &ChunkEntry) -> Result<Run, T::Error> {
        let Some(own) = &self.input.own else {
            return Ok(Run::default());
        };
        // Only what earlier steps have put there.
        let bounds = Bounds { until: first, len_max: self.input.step_len_max };
        self.longest_run(Origin::Target, own, first, entry, &bounds)
    }

    /// The longer of two runs: the one that goes on where the last step's ended, and the one at the first
    /// occurrence of the chunk.
    fn longest_run<L: ChunkList<Error = T::Error>>(
        &self,
        origin: Origin,
        lookup: &Lookup<'_, L>,
        first: u32,
        entry: &ChunkEntry,
        bounds: &Bounds,
    ) -> Result<Run, T::Error> {
        let mut longest = Run::default();
        let trail = self.progress.trail.filter(|trail| trail.origin == origin);
        if let Some(from) = trail.and_then(|trail| u32::try_from(i64::from(first) + trail.shift).ok()) {
            longest = self.run(lookup.list(), from, first, bounds)?;
        }
        // Neither at the limit nor at the end of the target could the other run be longer.
        let at_end = first + longest.count == self.input.target.len();
        if longest.count > 0 && (at_end || longest.bytes >= bounds.len_max) {
            return Ok(longest);
        }
        if let Some(from) = lookup.first(&entry.id)?
            && (longest.count == 0 || from != longest.from)
        {
            let run = self.run(lookup.list(), from, first, bounds)?;
            if run.bytes > longest.bytes {
                longest = run;
            }
        }
        Ok(longest)
    }

    /// How far the chunks of `list` from `from` on are those of the target from `first` on.
    fn run<L: ChunkList<Error = T::Error>>(
        &self,
        list: &L,
        from: u32,
        first: u32,
        bounds: &Bounds,
    ) -> Result<Run, T::Error> {
        let mut run = Run { from, count: 0, bytes: 0 };
        let positions = (from..bounds.until).zip(first..self.input.target.len());
        for (source_position, position) in positions {
            let wanted = self.input.target.entry(position)?;
            let offered = list.entry(source_position)?;
            // Equal names with unequal lengths are a lie of one of the indexes; such a chunk is fetched.
            if offered.id != wanted.id || offered.len() != wanted.len() {
                break;
            }
            let more = run.count > 0;
            if more
                && (run.bytes + wanted.len() > bounds.len_max || self.settled(position, &wanted).is_some())
            {
                break;
            }
            run.count += 1;
            run.bytes += wanted.len();
        }
        Ok(run)
    }

    fn trail_of(step: &Step) -> Option<Trail> {
        let (origin, from) = match step.source {
            Source::Seed { seed, first } => (Origin::Seed(seed), first),
            Source::Target { first } => (Origin::Target, first),
            Source::InPlace | Source::Zero | Source::Fetch => return None,
        };
        Some(Trail { origin, shift: i64::from(from) - i64::from(step.first) })
    }
}
