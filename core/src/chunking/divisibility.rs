//! The boundary test in 32-bit arithmetic, for 32-bit processors and for lanes of vectors: multiply, add, rotate,
//! compare.
//!
//! `h mod d = d − 1` says that `d` divides `h + 1`. Let `d = o·2ᵏ` with `o` odd and `x = h + 1` from 1 to
//! 2³² − 1. Multiplying by the inverse of `o` modulo 2³² and rotating right by `k` maps the multiples of `d`
//! to their quotients, `1..=⌊(2³²−1)/d⌋`, and everything else to larger numbers.
//!
//! One hash is left: `h = 2³² − 1`, where `x` wraps to 0 and the product says "divisible". It is, just where
//! `d` divides 2³², that is for `o = 1`. Elsewhere it is excluded by counting quotients from 1: `2ᵏ` less
//! before rotating is 1 less after, and 0 becomes larger than every quotient. Where `x` is no multiple of
//! `2ᵏ`, the rotation leaves a number of at least `2³²⁻ᵏ` either way.
//!
//! Invariant: exact for every 32-bit `h` and every `d` from 1 to 2³²−1 (tests: `agrees_*`).

use super::boundary::Discriminator;

/// Constants for the test of a hash: `rotate_right(hash·factor + summand, shift) ≤ limit`.
#[derive(Clone, Copy, Debug)]
pub struct Divisibility {
    /// What a hash is multiplied by.
    pub factor: u32,
    /// What is added to the product.
    pub summand: u32,
    /// Bits that the sum is rotated right by, below 32.
    pub shift: u32,
    /// The largest quotient of a multiple.
    pub limit: u32,
}

impl Divisibility {
    /// The constants for a discriminator.
    #[must_use]
    pub const fn of(discriminator: Discriminator) -> Self {
        let d = discriminator.get();
        let shift = d.trailing_zeros();
        let odd = d >> shift;
        let factor = inverse(odd);
        let first = (odd > 1) as u32;
        Self { factor, summand: factor.wrapping_sub(first << shift), shift, limit: u32::MAX / d - first }
    }

    /// Whether a window with this hash may end a chunk.
    #[inline]
    #[must_use]
    pub const fn passes(self, hash: u32) -> bool {
        hash.wrapping_mul(self.factor).wrapping_add(self.summand).rotate_right(self.shift) <= self.limit
    }
}

/// The inverse of an odd number modulo 2³², by Newton's iteration: each turn doubles the low bits that are
/// right, and an odd number is its own inverse in three.
const fn inverse(odd: u32) -> u32 {
    let mut inverse = odd;
    let mut right_bits = 3;
    while right_bits < u32::BITS {
        inverse = inverse.wrapping_mul(2_u32.wrapping_sub(odd.wrapping_mul(inverse)));
        right_bits *= 2;
    }
    inverse
}

#[cfg(test)]
mod tests {
    use core::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;

    /// Compares one hash; says what core's test says.
    fn check(d: u32, hash: u32) -> bool {
        let discriminator = Discriminator::new(NonZeroU32::new(d).unwrap());
        let wanted = hash % d == d - 1;
        assert_eq!(Divisibility::of(discriminator).passes(hash), wanted, "{hash} mod {d}");
        wanted
    }

    #[test]
    fn agrees_at_the_edges() {
        let mut passed = 0;
        let powers = (0..32).flat_map(|k| [1 << k, 3_u32.wrapping_shl(k), (1 << k) + 1, u32::MAX >> k]);
        for d in powers.chain([48, 192, 49_535, 202_440, 3943]).filter(|&d| d > 0) {
            for near in [0, d, d.wrapping_mul(2), u32::MAX - u32::MAX % d, u32::MAX, 1 << 31] {
                for offset in 0..8_u32 {
                    passed += u32::from(check(d, near.wrapping_add(offset).wrapping_sub(4)));
                }
            }
        }
        assert!(passed > 500);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn agrees_for_any(d in 1..=u32::MAX, scale in 0..32_u32, hash: u32) {
            let d = (d >> scale).max(1);
            check(d, hash);
            // Random hashes rarely pass: also take the passing one below each.
            if let Some(passing) = (hash - hash % d).checked_sub(1) {
                prop_assert!(check(d, passing));
            }
        }
    }
}
