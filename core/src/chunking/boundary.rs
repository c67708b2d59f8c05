//! Which hashes may end a chunk: `h mod d = d − 1`, tested without dividing.
//!
//! Invariant: exact for every 32-bit `h` and every `d` from 1 to 2³²−1 (tests: `exact_*`).

use core::num::NonZeroU32;

use super::rolling_hash::{RollingHash, WINDOW_LEN};

/// A window whose hash `h` has `h mod d = d − 1` may end a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Discriminator(NonZeroU32);

impl Discriminator {
    /// The discriminator `d` itself; [`super::ChunkSizes::discriminator`] finds the one for chunk sizes.
    #[must_use]
    pub const fn new(d: NonZeroU32) -> Self {
        Self(d)
    }

    /// `d`.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    /// The test, prepared once for many hashes.
    #[must_use]
    pub const fn boundary_test(self) -> BoundaryTest {
        BoundaryTest::of(self)
    }
}

/// The test that takes the fewest instructions here.
#[cfg(target_pointer_width = "64")]
pub type BoundaryTest = Fraction;

/// The test that takes the fewest instructions here.
#[cfg(not(target_pointer_width = "64"))]
pub type BoundaryTest = super::divisibility::Divisibility;

/// Tests hashes against one [`Discriminator`] by a multiplication and a comparison of 64-bit numbers.
///
/// With `m = ⌈2⁶⁴/d⌉` the low 64 bits of `h·m` are the fraction of `h/d` in units of 2⁻⁶⁴, a little too
/// large. A remainder of `d − 1` makes that fraction at least `1 − 1/d`, that is at least `2⁶⁴ − m`.
///
/// Why the excess never matters: let `h = q·d + r` and `m·d = 2⁶⁴ + e` with `0 ≤ e < d`. The fraction is
/// `q·e + r·m`. For `r = d − 1` it is `2⁶⁴ − m + (q+1)·e`, and `(q+1)·e < (q+1)·d = h + 1 ≤ 2³² < m` keeps
/// it from wrapping. For `r ≤ d − 2` it must stay below `2⁶⁴ − m`, which `(q+1)·e < m` ensures: either
/// `d ≤ 2³¹`, then `(q+1)·e < 2³² + d < 2³³ ≤ m`; or `q = 0`, then `e < d < m`; or `q = 1` and `d > 2³¹`,
/// where `r + 1 ≤ 2³² − d` is so small that `e + (r+1)·m < 2⁶⁴`. For `d = 1` all wraps to 0 and
/// every hash passes, as it must.
#[derive(Clone, Copy, Debug)]
pub struct Fraction {
    /// `⌈2⁶⁴/d⌉` modulo 2⁶⁴.
    reciprocal: u64,
}

impl Fraction {
    /// The constant for a discriminator.
    #[must_use]
    pub const fn of(discriminator: Discriminator) -> Self {
        Self { reciprocal: (u64::MAX / discriminator.get() as u64).wrapping_add(1) }
    }

    /// Whether a window with this hash may end a chunk.
    #[inline]
    #[must_use]
    pub const fn passes(self, hash: u32) -> bool {
        (hash as u64).wrapping_mul(self.reciprocal) >= self.reciprocal.wrapping_neg()
    }
}

/// Whether 48 zero bytes may end a chunk.
///
/// Where they may not (true of every usual size), the windows that lie wholly in a hole or a zero run need
/// not be scanned at all; those that only touch it still must be.
#[must_use]
pub fn zero_window_is_candidate(discriminator: Discriminator) -> bool {
    discriminator.boundary_test().passes(RollingHash::fill(&[0; WINDOW_LEN]).value())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn by_division(hash: u32, d: u32) -> bool {
        hash % d == d - 1
    }

    fn test_of(d: u32) -> Fraction {
        Fraction::of(Discriminator::new(NonZeroU32::new(d).unwrap()))
    }

    const EDGES: [u32; 14] = [
        1,
        2,
        3,
        48,
        65_535,
        65_536,
        49_535,
        (1 << 31) - 1,
        1 << 31,
        (1 << 31) + 1,
        3 << 30,
        u32::MAX - 2,
        u32::MAX - 1,
        u32::MAX,
    ];

    #[test]
    fn exact_at_the_edges() {
        for d in EDGES {
            for near in [0, d, d.wrapping_mul(2), u32::MAX - u32::MAX % d, u32::MAX] {
                for offset in 0..8 {
                    let hash = near.wrapping_add(offset).wrapping_sub(4);
                    assert_eq!(test_of(d).passes(hash), by_division(hash, d), "{hash} mod {d}");
                }
            }
        }
    }

    #[test]
    fn exact_for_every_multiple_near_the_top() {
        for d in [3, 6153, 49_535, 202_440, 8_388_608] {
            for hash in (u32::MAX - 3 * d.min(1 << 20))..=u32::MAX {
                assert_eq!(test_of(d).passes(hash), by_division(hash, d), "{hash} mod {d}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn exact_for_any(d in 1..=u32::MAX, scale in 0..32_u32, hash: u32) {
            let d = (d >> scale).max(1);
            prop_assert_eq!(test_of(d).passes(hash), by_division(hash, d));
            // Random hashes rarely pass: also take the passing one below each.
            if let Some(passing) = (hash - hash % d).checked_sub(1) {
                prop_assert!(test_of(d).passes(passing));
            }
        }
    }

    #[test]
    fn zero_windows() {
        let is_candidate = |d| zero_window_is_candidate(Discriminator::new(NonZeroU32::new(d).unwrap()));
        let below_300_000 = (1..300_000).filter(|&d| is_candidate(d)).collect::<alloc::vec::Vec<_>>();
        assert_eq!(below_300_000, [1, 3943]);
    }
}
