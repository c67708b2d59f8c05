//! The rounds of SHA-2, written once for all widths.
//!
//! `compress_lanes!` makes a function from the operations that are in scope where it is used: `Vector`,
//! `add`, `xor3`, `choose`, `majority`, `splat`, `load_row`, `store_row`, `message_words`, and `big0`, `big1`,
//! `small0`, `small1` for the sigmas of FIPS 180-4, sections 4.1.2 and 4.1.3.

/// Makes `compress`: each lane's blocks into each lane's state, with the instructions of `$features`.
macro_rules! compress_lanes {
    ($features:literal, $word:ty, lanes: $lanes:expr, block_len: $block_len:expr, round_words: $round_words:expr) => {
        #[target_feature(enable = $features)]
        pub(super) fn compress(states: &mut [[$word; $lanes]; 8], blocks: &[&[[u8; $block_len]]; $lanes]) {
            let mut state = [splat(0); 8];
            for (vector, row) in state.iter_mut().zip(&*states) {
                *vector = load_row(row);
            }
            let count = blocks.iter().map(|blocks| blocks.len()).min().unwrap_or(0);
            for i in 0..count {
                let mut words = message_words(blocks, i);
                state = compress_block(state, &mut words);
            }
            for (vector, row) in state.into_iter().zip(states) {
                store_row(row, vector);
            }
        }

        #[target_feature(enable = $features)]
        #[inline]
        fn compress_block(before: [Vector; 8], words: &mut [Vector; 16]) -> [Vector; 8] {
            let mut state = before;
            let (firsts, _) = $round_words.as_chunks::<16>();
            for (turn, round_words) in firsts.iter().enumerate() {
                if turn > 0 {
                    schedule(words);
                }
                state = sixteen_rounds(state, words, round_words);
            }
            for (word, before) in state.iter_mut().zip(before) {
                *word = add(*word, before);
            }
            state
        }

        /// The next sixteen words of the message schedule.
        #[target_feature(enable = $features)]
        #[inline]
        fn schedule(w: &mut [Vector; 16]) {
            for t in 0..16 {
                let old = add(w[t], small0(w[(t + 1) % 16]));
                w[t] = add(old, add(w[(t + 9) % 16], small1(w[(t + 14) % 16])));
            }
        }

        #[target_feature(enable = $features)]
        #[inline]
        fn sixteen_rounds(
            state: [Vector; 8],
            words: &[Vector; 16],
            round_words: &[$word; 16],
        ) -> [Vector; 8] {
            let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
            for (&word, &round_word) in words.iter().zip(round_words) {
                let entering = add(add(h, add(word, splat(round_word))), add(big1(e), choose(e, f, g)));
                let mixed = add(big0(a), majority(a, b, c));
                (h, g, f, e) = (g, f, e, add(d, entering));
                (d, c, b, a) = (c, b, a, add(entering, mixed));
            }
            [a, b, c, d, e, f, g, h]
        }
    };
}
