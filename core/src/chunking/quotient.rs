//! The discriminator's formula in integers, giving to the last bit what IEEE doubles give.
//!
//! casync computes it in doubles, so what it rounds we must round. Soft floats would take 3 KiB of a device's
//! flash for these three operations; this takes a tenth.
//!
//! Invariant: equal to the formula in doubles for every average (test: `as_in_doubles`).

/// The factors, in units of 2⁻⁷⁵. Source: casync `cachunker.h`, `CA_CHUNKER_DISCRIMINATOR_FROM_AVG`.
const SLOPE: u128 = in_units(1.428_888_52e-7);
const START: u128 = in_units(1.332_375_15);
const UNIT_LOG: u32 = 75;

/// A double of at least 2⁻²³, exactly.
const fn in_units(number: f64) -> u128 {
    let bits = number.to_bits();
    let mantissa = (bits & ((1 << 52) - 1) | 1 << 52) as u128;
    mantissa << ((bits >> 52) as u32 - (1023 - 23))
}

/// `avg / (1.33237515 − 1.42888852e-7 · avg)`, cut off to an integer; `None` if that is below 0 or infinite.
/// What is beyond 32 bits is given as 2³³ or more.
pub(super) fn avg_over_slope(avg: u64) -> Option<u64> {
    // From here on the denominator is negative, and products would not fit.
    if avg >= 1 << 24 {
        return None;
    }
    let product = round(SLOPE * u128::from(avg));
    let denominator = round(START.checked_sub(product).filter(|&denominator| denominator > 0)?);
    // Long division: bits of the integer part, then 53 more.
    let (mut quotient, mut rest) = (0_u128, 0_u128);
    for place in (0..24 + UNIT_LOG + 53).rev() {
        let bit = place.checked_sub(UNIT_LOG + 53).map_or(0, |place| avg >> place & 1);
        rest = rest << 1 | u128::from(bit);
        quotient <<= 1;
        if rest >= denominator {
            rest -= denominator;
            quotient |= 1;
        }
        if place == 53 && quotient >> 33 > 0 {
            return Some(1 << 33);
        }
    }
    // One more bit stands for all that would follow.
    let exact = quotient << 1 | u128::from(rest > 0);
    Some((round(exact) >> 54) as u64)
}

/// To 53 significant bits; from the middle, to the even one.
#[inline(never)] // three times the same, in little flash
const fn round(number: u128) -> u128 {
    let Some(excess) = (128 - number.leading_zeros()).checked_sub(53) else { return number };
    if excess == 0 {
        return number;
    }
    let half = 1 << (excess - 1);
    let is_odd = number >> excess & 1;
    (number + half - 1 + is_odd) >> excess << excess
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_doubles(avg: u64) -> Option<u64> {
        let avg = avg as f64;
        let slope = -1.428_888_52e-7 * avg;
        let raw = avg / (slope + 1.332_375_15);
        (raw.is_finite() && raw >= 0.0).then_some(raw as u64)
    }

    #[test]
    fn as_in_doubles() {
        let pole = 9_324_560;
        // `FULL=1` tries them all.
        let step = if option_env!("FULL").is_some() { 1 } else { 41 };
        let some = (1..1 << 24).step_by(step).chain(pole - 20_000..pole + 100);
        let large = (24..64).flat_map(|log| [1 << log, (1 << log) + 1, u64::MAX >> (63 - log)]);
        for avg in some.chain(large) {
            let cap = |raw: Option<u64>| raw.map(|raw| raw.min(1 << 33));
            assert_eq!(cap(avg_over_slope(avg)), cap(in_doubles(avg)), "{avg}");
        }
    }
}
