//! The scan in its shortest form: the oracle. Slow (a window's hash is computed afresh at each position).

use crate::chunking::boundary::Discriminator;
use crate::chunking::rolling_hash::RollingHash;
use crate::chunking::rolling_hash::WINDOW_LEN;

use super::Found;

pub(super) fn scan(bytes: &[u8], discriminator: Discriminator, found: &mut Found<'_>) {
    let d = discriminator.get();
    let mut position = WINDOW_LEN;
    while position <= bytes.len() {
        let hash = bytes[..position].last_chunk().map_or(0, |window| RollingHash::fill(window).value());
        position = if hash % d == d - 1 { found(position) } else { position + 1 };
    }
}
