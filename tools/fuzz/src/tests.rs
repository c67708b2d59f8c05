//! Every target on its seeds, whole and damaged: cut short, bits flipped, stretches doubled.

use crate::{TARGETS, seeds};

/// Positions of a seed that are damaged: all of a short one, evenly spread over a long one.
const PLACES: usize = 64;

#[test]
fn seeds_and_their_damage_pass() {
    for target in TARGETS {
        let seeds = seeds(target.name);
        assert!(!seeds.is_empty(), "{} has no seeds", target.name);
        for seed in seeds {
            (target.run)(&seed);
            for place in (0..seed.len()).step_by(seed.len().div_ceil(PLACES).max(1)) {
                for damaged in damage(&seed, place) {
                    (target.run)(&damaged);
                }
            }
        }
        (target.run)(&[]);
    }
}

fn damage(seed: &[u8], place: usize) -> [Vec<u8>; 4] {
    let mut flipped = seed.to_vec();
    flipped[place] ^= 1 << (place % 8);
    let mut filled = seed.to_vec();
    filled[place] = 0xff;
    let doubled = [&seed[..place], &seed[place / 2..]].concat();
    [seed[..place].to_vec(), flipped, filled, doubled]
}
