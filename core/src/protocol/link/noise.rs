//! A simulated line that drops, doubles and flips bytes and falls silent, for tests.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Small reproducible randomness.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn roll(&mut self, one_in: u64) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        one_in != 0 && self.0.is_multiple_of(one_in)
    }
}

/// How bad a line is: each fault happens to one byte in so many; 0 for never.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Noise {
    pub(crate) drop: u64,
    pub(crate) double: u64,
    pub(crate) flip: u64,
    pub(crate) silence: u64,
    pub(crate) reconnect: u64,
    pub(crate) doubled_frame: u64,
}

/// One direction of the line.
pub(crate) struct Wire {
    pub(crate) bytes: VecDeque<u8>,
    pub(crate) noise: Noise,
    pub(crate) dice: Dice,
    /// Bytes that will be lost.
    silent: u64,
}

impl Wire {
    pub(crate) fn new(noise: Noise, seed: u64) -> Self {
        Self { bytes: VecDeque::new(), noise, dice: Dice(seed | 1), silent: 0 }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let times = if self.dice.roll(self.noise.doubled_frame) { 2 } else { 1 };
        for byte in core::iter::repeat_n(bytes, times).flatten().copied() {
            if self.dice.roll(self.noise.silence) {
                self.silent = 700;
            }
            if self.silent > 0 {
                self.silent -= 1;
                continue;
            }
            if self.dice.roll(self.noise.drop) {
                continue;
            }
            let flipped = self.dice.roll(self.noise.flip);
            self.bytes.push_back(if flipped { byte ^ 1 << (self.dice.0 >> 32 & 7) } else { byte });
            if self.dice.roll(self.noise.double) {
                self.bytes.push_back(byte);
            }
        }
    }

    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.bytes.drain(..).collect()
    }
}
