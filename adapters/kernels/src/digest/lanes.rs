//! Keeps lanes full: messages of unequal lengths side by side, each lane refilled as its message ends.
//!
//! All lanes advance by the same number of blocks, the fewest that any has before it ends. Long messages
//! start first, so that lanes run dry at nearly the same time; the last few messages, for which so many lanes
//! would be a waste, are ended one by one from the states they have reached.
//!
//! Invariant: the digest of a message does not depend on what runs beside it (tests: `tests/digest.rs`).

use alloc::vec::Vec;
use core::cmp::Reverse;

use desync_core::digest::ChunkId;

use super::function::{Ending, Sha2};

/// States in lanes: entry `i` holds word `i` of each lane's state.
pub(super) type States<Word, const LANES: usize> = [[Word; LANES]; 8];

/// The blocks of each lane, and the states that they are compressed into.
type Compress<S, const LANES: usize> =
    fn(states: &mut States<<S as Sha2>::Word, LANES>, blocks: &[&[<S as Sha2>::Block]; LANES]);

/// How to compress blocks in lanes.
pub(super) struct Compressor<S: Sha2, const LANES: usize> {
    /// Compresses the blocks of each lane into its state. All lanes are given equally many.
    pub(super) compress: Compress<S, LANES>,
    /// Up to how many messages, fewer than lanes, are ended sooner one by one than side by side.
    pub(super) few: usize,
}

/// Digests `messages`, each into the same place of `ids`.
pub(super) fn digest_many<S: Sha2, const LANES: usize>(
    compressor: Compressor<S, LANES>,
    messages: &[&[u8]],
    ids: &mut [ChunkId],
) {
    let mut order: Vec<usize> = (0..messages.len().min(ids.len())).collect();
    order.sort_by_key(|&number| Reverse(messages[number].len()));
    let mut waiting = order.into_iter().map(|number| Message::new(number, messages[number]));
    let mut states = [[S::Word::default(); LANES]; 8];
    let mut lanes: [Option<Message<'_, S>>; LANES] = [const { None }; LANES];
    loop {
        for (lane, message) in lanes.iter_mut().enumerate().filter(|(_, message)| message.is_none()) {
            *message = waiting.next();
            if message.is_some() {
                set_state(&mut states, lane, &S::FIRST);
            }
        }
        if lanes.iter().flatten().count() <= compressor.few {
            break;
        }
        advance(&compressor, &mut states, &mut lanes);
        for (lane, message) in lanes.iter_mut().enumerate() {
            if let Some(ended) = message.take_if(|message| message.next_blocks().is_empty()) {
                ids[ended.number] = S::id(&state(&states, lane));
            }
        }
    }
    // Nothing waits any more: while something does, all lanes are taken.
    for (lane, message) in lanes.iter().enumerate() {
        if let Some(message) = message {
            ids[message.number] = message.finish(state(&states, lane));
        }
    }
}

/// Compresses as many blocks of every message as the one with the fewest has.
fn advance<S: Sha2, const LANES: usize>(
    compressor: &Compressor<S, LANES>,
    states: &mut States<S::Word, LANES>,
    lanes: &mut [Option<Message<'_, S>>; LANES],
) {
    let Some(shortest) = lanes.iter().flatten().map(Message::next_blocks).min_by_key(|blocks| blocks.len())
    else {
        return;
    };
    let count = shortest.len();
    // A lane without a message repeats another's blocks: nobody reads its state.
    let mut blocks = [shortest; LANES];
    for (blocks, message) in blocks.iter_mut().zip(lanes.iter()) {
        if let Some(message) = message {
            *blocks = &message.next_blocks()[..count];
        }
    }
    (compressor.compress)(states, &blocks);
    for message in lanes.iter_mut().flatten() {
        message.skip(count);
    }
}

/// A message on its way.
struct Message<'a, S: Sha2> {
    number: usize,
    /// Whole blocks that are left.
    blocks: &'a [S::Block],
    ending: Ending<S::Block>,
    /// Blocks of the ending that are done; none while there are whole blocks.
    ending_done: usize,
}

impl<'a, S: Sha2> Message<'a, S> {
    fn new(number: usize, message: &'a [u8]) -> Self {
        let (blocks, rest) = S::blocks(message);
        Self { number, blocks, ending: S::ending(rest, message.len()), ending_done: 0 }
    }

    /// Blocks that lie together in memory; none if the message has ended.
    fn next_blocks(&self) -> &[S::Block] {
        if self.blocks.is_empty() { &self.ending.blocks()[self.ending_done..] } else { self.blocks }
    }

    /// Moves on by `count` of the next blocks.
    fn skip(&mut self, count: usize) {
        match self.blocks.get(count..) {
            Some(left) if !self.blocks.is_empty() => self.blocks = left,
            _ => self.ending_done += count,
        }
    }

    /// Compresses all that is left.
    fn finish(&self, mut state: [S::Word; 8]) -> ChunkId {
        S::compress(&mut state, self.blocks);
        S::compress(&mut state, &self.ending.blocks()[self.ending_done..]);
        S::id(&state)
    }
}

fn state<Word: Copy, const LANES: usize>(states: &States<Word, LANES>, lane: usize) -> [Word; 8] {
    states.map(|row| row[lane])
}

fn set_state<Word: Copy, const LANES: usize>(
    states: &mut States<Word, LANES>,
    lane: usize,
    state: &[Word; 8],
) {
    for (row, &word) in states.iter_mut().zip(state) {
        row[lane] = word;
    }
}

#[cfg(test)]
mod tests;
