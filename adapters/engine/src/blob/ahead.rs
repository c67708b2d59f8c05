//! How far in front of a reader it pays to fetch: not at all while it jumps about, further with every read that
//! goes on where the last one ended.

use core::ops::Range;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

/// The first step ahead in bytes.
const FIRST: u64 = 128 << 10;

/// Most bytes ahead of one reader.
const MOST: u64 = 16 << 20;

/// Reads of one stream may come out of order: a kernel sends several at once, and threads take them.
const SLACK: u64 = 1 << 20;

/// Where one reader is, and how steadily it goes on. Threads share it.
#[derive(Debug, Default)]
pub struct ReadAhead(Mutex<Stream>);

#[derive(Debug, Default)]
struct Stream {
    /// The furthest end of its reads.
    end: u64,
    /// How far to fetch beyond that, in bytes.
    ahead: u64,
    /// How far has been fetched.
    fetched: u64,
}

/// Most bytes ahead of one reader, for chunks of this average length: enough for four chunks a worker, but not so
/// much that two readers push each other's chunks out of memory.
pub(super) fn most(average: u64, workers: NonZeroUsize, cache_len: u64) -> u64 {
    let wanted = average.saturating_mul(4 * workers.get() as u64).max(1 << 20);
    wanted.min(MOST).min(cache_len / 4)
}

impl ReadAhead {
    /// A reader that has not read yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes a read and answers what to fetch now, in bytes; possibly beyond the end of the blob.
    pub(super) fn observe(&self, read: Range<u64>, most: u64) -> Range<u64> {
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let goes_on =
            read.start >= stream.end.saturating_sub(SLACK) && read.start <= stream.end.saturating_add(SLACK);
        if !goes_on {
            *stream = Stream { end: read.end, ahead: 0, fetched: read.end };
            return read.end..read.end;
        }
        if read.end > stream.end {
            stream.end = read.end;
            stream.ahead = (stream.ahead * 2).max(FIRST).min(most);
        }
        let from = stream.fetched.max(stream.end);
        let to = stream.end.saturating_add(stream.ahead);
        // In large steps, so that chunks are fetched and verified several together.
        if from > stream.end.saturating_add(stream.ahead / 2) {
            return from..from;
        }
        stream.fetched = to.max(from);
        from..stream.fetched
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_sequential_reader_is_met_ever_further_ahead() {
        let reader = ReadAhead::new();
        let mut fetched_to = 0;
        for step in 0..64 {
            let read = step * (MIB / 8)..(step + 1) * (MIB / 8);
            let ahead = reader.observe(read.clone(), 4 * MIB);
            assert!(ahead.is_empty() || ahead.end - read.end <= 4 * MIB, "{ahead:?}");
            assert!(ahead.start >= fetched_to, "{ahead:?} again");
            fetched_to = ahead.end;
        }
        assert!(fetched_to >= 8 * MIB + 2 * MIB);
        // Two reads that change places do not disturb it.
        reader.observe(8 * MIB + MIB / 8..8 * MIB + 2 * (MIB / 8), 4 * MIB);
        assert!(reader.observe(8 * MIB..8 * MIB + MIB / 8, 4 * MIB).is_empty());
        let next = reader.observe(9 * MIB..9 * MIB + MIB / 8, 4 * MIB);
        assert!(next.end > fetched_to, "{next:?}");
    }

    #[test]
    fn a_reader_that_jumps_gets_nothing_ahead() {
        let reader = ReadAhead::new();
        for offset in [900, 100, 500, 20, 700] {
            assert!(reader.observe(offset * MIB..offset * MIB + 4096, 4 * MIB).is_empty());
        }
        // Until it settles.
        assert!(!reader.observe(700 * MIB + 4096..700 * MIB + 8192, 4 * MIB).is_empty());
    }

    #[test]
    fn hostile_offsets_do_not_overflow() {
        let reader = ReadAhead::new();
        reader.observe(u64::MAX - MIB - 1..u64::MAX, MIB);
        reader.observe(u64::MAX - 1..u64::MAX, MIB);
    }
}
