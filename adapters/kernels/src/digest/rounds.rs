//! SHA-2 in lanes, written once for all widths.
//!
//! `compress_lanes!` makes a function from the operations that are in scope where it is used: of one instruction
//! set `Vector`, `load`, `store`, `xor3`, `choose` and `majority`, whatever the words; of one word size `splat`,
//! `add`, `rotate`, `shift` and `transpose`.

/// Makes `compress`: each lane's blocks into each lane's state, with the instructions of `$features`.
macro_rules! compress_lanes {
    // The sigmas of FIPS 180-4, section 4.1.3: rotations to the right, then rotations and a shift.
    ($features:literal, u64, lanes: $lanes:literal) => {
        compress_lanes!($features, u64, $lanes, 64, crate::digest::function::ROUND_WORDS,
            big0: [28, 34, 39], big1: [14, 18, 41], small0: [1, 8, 7], small1: [19, 61, 6]);
    };
    // Section 4.1.2.
    ($features:literal, u32, lanes: $lanes:literal) => {
        compress_lanes!($features, u32, $lanes, 32, crate::digest::function::ROUND_HALF_WORDS,
            big0: [2, 13, 22], big1: [6, 11, 25], small0: [7, 18, 3], small1: [17, 19, 10]);
    };
    ($features:literal, $word:ty, $lanes:literal, $bits:literal, $round_words:expr,
     big0: $big0:tt, big1: $big1:tt, small0: $small0:tt, small1: $small1:tt) => {
        /// Bytes of a block: sixteen words.
        const BLOCK_LEN: usize = 2 * $bits;

        #[target_feature(enable = $features)]
        pub(super) fn compress(states: &mut [[$word; $lanes]; 8], blocks: &[&[[u8; BLOCK_LEN]]; $lanes]) {
            let mut state = [splat(0); 8];
            for (vector, row) in state.iter_mut().zip(&*states) {
                *vector = load(row);
            }
            let count = blocks.iter().map(|blocks| blocks.len()).min().unwrap_or(0);
            for i in 0..count {
                let mut words = message_words(blocks, i);
                state = compress_block(state, &mut words);
            }
            for (vector, row) in state.into_iter().zip(states) {
                store(row, vector);
            }
        }

        /// The sixteen words of block `i` of every lane: as many at a time as a vector holds.
        #[target_feature(enable = $features)]
        #[inline]
        fn message_words(blocks: &[&[[u8; BLOCK_LEN]]; $lanes], i: usize) -> [Vector; 16] {
            let mut words = [splat(0); 16];
            let (parts, _) = words.as_chunks_mut::<$lanes>();
            for (part, words) in parts.iter_mut().enumerate() {
                for (words, blocks) in words.iter_mut().zip(blocks) {
                    *words = load(&blocks[i].as_chunks::<{ size_of::<Vector>() }>().0[part]);
                }
                *words = transpose(words);
            }
            words
        }

        #[target_feature(enable = $features)]
        #[inline]
        fn compress_block(before: [Vector; 8], words: &mut [Vector; 16]) -> [Vector; 8] {
            let mut state = before;
            let (firsts, _) = $round_words.as_chunks::<16>();
            for (turn, round_words) in firsts.iter().enumerate() {
                state = match turn {
                    0 => sixteen_rounds::<false>(state, words, round_words),
                    _ => sixteen_rounds::<true>(state, words, round_words),
                };
            }
            for (word, before) in state.iter_mut().zip(before) {
                *word = add(*word, before);
            }
            state
        }

        compress_lanes!(@rounds $features, $word, [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15]);
        compress_lanes!(@rotations $features, $bits, big0, $big0);
        compress_lanes!(@rotations $features, $bits, big1, $big1);
        compress_lanes!(@shift $features, $bits, small0, $small0);
        compress_lanes!(@shift $features, $bits, small1, $small1);
    };
    // Each round is written out: then every word and every part of the state has a register of its own, and none is
    // moved from one to another. As a loop this took a quarter longer.
    (@rounds $features:literal, $word:ty, [$($t:literal)*]) => {
        /// Sixteen rounds; `SCHEDULES` is whether the words are first replaced by the next sixteen of the message
        /// schedule: in all turns but the first.
        #[target_feature(enable = $features)]
        #[inline]
        fn sixteen_rounds<const SCHEDULES: bool>(
            mut state: [Vector; 8],
            w: &mut [Vector; 16],
            round_words: &[$word; 16],
        ) -> [Vector; 8] {
            $({
                // Where `a` is in the first round, each part of the state moves on by one a round.
                const A: usize = (16 - $t) % 8;
                let [a, b, c, d] = [state[A], state[(A + 1) % 8], state[(A + 2) % 8], state[(A + 3) % 8]];
                let [e, f, g, h] =
                    [state[(A + 4) % 8], state[(A + 5) % 8], state[(A + 6) % 8], state[(A + 7) % 8]];
                if SCHEDULES {
                    let old = add(w[$t], small0(w[($t + 1) % 16]));
                    w[$t] = add(old, add(w[($t + 9) % 16], small1(w[($t + 14) % 16])));
                }
                let entering = add(add(h, add(w[$t], splat(round_words[$t]))), add(big1(e), choose(e, f, g)));
                let mixed = add(big0(a), majority(a, b, c));
                state[(A + 3) % 8] = add(d, entering);
                state[(A + 7) % 8] = add(entering, mixed);
            })*
            state
        }
    };
    (@rotations $features:literal, $bits:literal, $name:ident, [$a:literal, $b:literal, $c:literal]) => {
        #[target_feature(enable = $features)]
        #[inline]
        fn $name(x: Vector) -> Vector {
            xor3(
                rotate::<$a, { $bits - $a }>(x),
                rotate::<$b, { $bits - $b }>(x),
                rotate::<$c, { $bits - $c }>(x),
            )
        }
    };
    (@shift $features:literal, $bits:literal, $name:ident, [$a:literal, $b:literal, $right:literal]) => {
        #[target_feature(enable = $features)]
        #[inline]
        fn $name(x: Vector) -> Vector {
            xor3(rotate::<$a, { $bits - $a }>(x), rotate::<$b, { $bits - $b }>(x), shift::<$right>(x))
        }
    };
}
