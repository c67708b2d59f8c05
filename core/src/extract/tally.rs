//! How chunks really got into the target, counted.

use core::fmt;
use core::ops::AddAssign;

use crate::plan::Amount;

/// How one chunk got into the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Obtained {
    /// It was there.
    InPlace,
    /// It is zeros.
    Zero,
    /// From a seed, copied or shared.
    Seed {
        /// Which one.
        seed: u16,
    },
    /// From earlier in the target.
    Target,
    /// From the chunk source.
    Fetched,
}

/// Chunks and bytes by how they got into the target. The five amounts cover every chunk once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Tally {
    /// Were there.
    pub in_place: Amount,
    /// Are zeros.
    pub zero: Amount,
    /// Bytes of those that the target was told to make zero; the others needed nothing.
    pub zeroed_bytes: u64,
    /// Came from seeds.
    pub seed: Amount,
    /// Bytes of those that share storage with the seed; the others were copied.
    pub shared_bytes: u64,
    /// Came from earlier in the target.
    pub target: Amount,
    /// Came from the chunk source.
    pub fetched: Amount,
    /// Chunks that a seed should have had and did not; fetched.
    pub seed_chunks_refused: u64,
    /// Chunks that the target should have held earlier and did not; fetched.
    pub target_chunks_refused: u64,
}

impl Tally {
    /// All chunks.
    #[must_use]
    pub fn total(&self) -> Amount {
        let mut total = Amount::default();
        for part in [self.in_place, self.zero, self.seed, self.target, self.fetched] {
            total += part;
        }
        total
    }

    /// Bytes copied from seeds and within the target: neither shared nor fetched.
    #[must_use]
    pub const fn copied_bytes(&self) -> u64 {
        self.seed.bytes - self.shared_bytes + self.target.bytes
    }

    pub(super) fn count(&mut self, how: Obtained, bytes: u64) {
        let amount = match how {
            Obtained::InPlace => &mut self.in_place,
            Obtained::Zero => &mut self.zero,
            Obtained::Seed { .. } => &mut self.seed,
            Obtained::Target => &mut self.target,
            Obtained::Fetched => &mut self.fetched,
        };
        *amount += Amount { chunks: 1, bytes };
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.in_place += other.in_place;
        self.zero += other.zero;
        self.zeroed_bytes += other.zeroed_bytes;
        self.seed += other.seed;
        self.shared_bytes += other.shared_bytes;
        self.target += other.target;
        self.fetched += other.fetched;
        self.seed_chunks_refused += other.seed_chunks_refused;
        self.target_chunks_refused += other.target_chunks_refused;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "in place: {}; zero: {}; from seeds: {}, {} bytes shared; from the target: {}; fetched: {}",
            self.in_place, self.zero, self.seed, self.shared_bytes, self.target, self.fetched
        )
    }
}

/// What one step came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StepOutcome {
    /// Its chunks.
    pub tally: Tally,
    /// The seed some of whose chunks were refused, if any.
    pub refused_seed: Option<u16>,
}
