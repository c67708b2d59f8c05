//! Cutting bytes that arrive in pieces, in 48 bytes of memory.
//!
//! Invariant: how the bytes are split into pieces changes nothing (property test in [`super`]).

use super::cutter::Cutter;
use super::lengths::CutLengths;
use super::params::{ChunkSizes, CutRule};
use super::rolling_hash::{RollingHash, WINDOW_LEN};
use super::scan::Kernel;

/// A sequential chunker: push slices in, cuts come out. Keeps the last 48 bytes and a count, no chunk.
///
/// ```
/// use desync_core::chunking::{ChunkSizes, Chunker, CutRule, Kernel};
///
/// let mut chunker = Chunker::new(&ChunkSizes::DEFAULT, CutRule::Casync, Kernel::SCALAR);
/// let mut lengths = Vec::new();
/// let mut len = 0;
/// for mut piece in [&[0; 200_000][..], &[0; 100_000]] {
///     while let Some(taken) = chunker.push(piece) {
///         lengths.push(len + taken);
///         len = 0;
///         piece = &piece[taken..];
///     }
///     len += piece.len();
/// }
/// lengths.extend(chunker.finish().map(|rest| rest as usize));
/// assert_eq!(lengths, [262_144, 37_856]);
/// ```
#[derive(Clone, Debug)]
pub struct Chunker {
    cutter: Cutter,
    /// Bytes of the current chunk taken so far.
    len: u64,
    /// The last bytes of the current chunk from [`CutLengths::skip`] on, as a ring.
    window: [u8; WINDOW_LEN],
    /// Where the oldest byte of the full ring stands, or the next byte of the filling one.
    oldest: usize,
    /// The hash of the ring once it is full.
    hash: RollingHash,
}

impl Chunker {
    /// Starts at the beginning of a chunk.
    #[must_use]
    pub fn new(sizes: &ChunkSizes, rule: CutRule, kernel: Kernel) -> Self {
        let window = [0; WINDOW_LEN];
        let cutter = Cutter::new(sizes, rule, kernel);
        Self { cutter, len: 0, window, oldest: 0, hash: RollingHash::fill(&window) }
    }

    /// Takes bytes up to and including the next cut.
    ///
    /// `Some(n)`: a chunk ends behind the first `n` bytes; push the others again, they begin the next chunk.
    /// None: all bytes were taken and the chunk goes on.
    pub fn push(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut taken = self.skip(bytes.len());
        taken += self.fill(bytes.get(taken..).unwrap_or_default());
        if self.len < self.cutter.lengths.first {
            return None;
        }
        while taken < WINDOW_LEN {
            if self.stands_at_cut() {
                return self.cut(taken);
            }
            self.roll(*bytes.get(taken)?);
            taken += 1;
        }
        self.scan(bytes, taken)
    }

    /// The chunk that the end of the blob ends, if one has begun. The chunker then stands at a new beginning.
    pub fn finish(&mut self) -> Option<u64> {
        let len = core::mem::take(&mut self.len);
        (len > 0).then_some(len)
    }

    /// Passes over bytes that no tested window holds; returns how many of the `available` ones.
    fn skip(&mut self, available: usize) -> usize {
        self.advance(self.cutter.lengths.skip(), available)
    }

    /// Fills the first window that is tested; returns how many bytes it took.
    fn fill(&mut self, bytes: &[u8]) -> usize {
        let CutLengths { first, .. } = self.cutter.lengths;
        let Some(filled) = self.len.checked_sub(self.cutter.lengths.skip()).filter(|_| self.len < first)
        else {
            return 0;
        };
        let filled = filled as usize; // below 48
        let taken = self.advance(first, bytes.len());
        let free = self.window.get_mut(filled..).unwrap_or_default();
        free.iter_mut().zip(bytes).take(taken).for_each(|(place, &byte)| *place = byte);
        if self.len == first {
            self.start_ring(self.window);
        }
        taken
    }

    /// Counts bytes of the current chunk up to length `to`; returns how many of the `available` ones.
    fn advance(&mut self, to: u64, available: usize) -> usize {
        let count = to.saturating_sub(self.len).min(available as u64);
        self.len += count;
        count as usize // at most `available`
    }

    /// Whether the chunk ends right here. Asking twice at one position is harmless.
    fn stands_at_cut(&self) -> bool {
        self.len == self.cutter.lengths.last
            || self.cutter.discriminator.boundary_test().passes(self.hash.value())
    }

    fn roll(&mut self, entering: u8) {
        let Some(oldest) = self.window.get_mut(self.oldest) else { return };
        let leaving = core::mem::replace(oldest, entering);
        self.hash.roll(leaving, entering);
        self.oldest = (self.oldest + 1) % WINDOW_LEN;
        self.len += 1;
    }

    /// Goes on where the window before `bytes[taken]` lies wholly in `bytes`.
    fn scan(&mut self, bytes: &[u8], taken: usize) -> Option<usize> {
        let start = taken - WINDOW_LEN;
        let end = taken + self.advance(self.cutter.lengths.last, bytes.len() - taken);
        let scanned = bytes.get(start..end).unwrap_or_default();
        if let Some(position) = self.cutter.kernel.first_candidate(scanned, self.cutter.discriminator) {
            return self.cut(start + position);
        }
        if self.len == self.cutter.lengths.last {
            return self.cut(end);
        }
        if let Some(window) = bytes.get(..end).and_then(<[u8]>::last_chunk) {
            self.start_ring(*window);
        }
        None
    }

    fn start_ring(&mut self, window: [u8; WINDOW_LEN]) {
        self.window = window;
        self.oldest = 0;
        self.hash = RollingHash::fill(&window);
    }

    fn cut(&mut self, taken: usize) -> Option<usize> {
        self.len = 0;
        Some(taken)
    }
}
