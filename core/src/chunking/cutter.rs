//! Cutting a chunk whose bytes lie together in memory.

use super::boundary::Discriminator;
use super::lengths::CutLengths;
use super::params::{ChunkSizes, CutRule};
use super::rolling_hash::WINDOW_LEN;
use super::scan::Kernel;

/// Finds where the chunk that begins a slice ends.
///
/// Fast on one thread: the beginning of a chunk, in which no cut may lie, is not looked at.
#[derive(Clone, Copy, Debug)]
pub struct Cutter {
    pub(super) lengths: CutLengths,
    pub(super) discriminator: Discriminator,
    pub(super) kernel: Kernel,
}

impl Cutter {
    /// Cuts by these sizes and this rule, scanning with `kernel`.
    #[must_use]
    pub fn new(sizes: &ChunkSizes, rule: CutRule, kernel: Kernel) -> Self {
        Self { lengths: CutLengths::new(sizes, rule), discriminator: sizes.discriminator(rule), kernel }
    }

    /// The length of the chunk that starts at `bytes[0]`.
    ///
    /// `at_end` says that the blob ends with `bytes`. None: the cut lies further on (or there is nothing at
    /// all), so come again with more; the maximum chunk size is always enough. Each call scans from the
    /// chunk's start, so for bytes that trickle in [`super::Chunker`] is the right choice.
    #[must_use]
    pub fn first_cut(&self, bytes: &[u8], at_end: bool) -> Option<usize> {
        let CutLengths { first, last } = self.lengths;
        let available = bytes.len() as u64;
        if self.lengths.uses_hash() && available >= first {
            // Both fit: they are at most the slice's length.
            let start = first as usize - WINDOW_LEN;
            let end = available.min(last) as usize;
            if let Some(position) = self.kernel.first_candidate(&bytes[start..end], self.discriminator) {
                return Some(start + position);
            }
        }
        if available >= last { Some(last as usize) } else { (at_end && available > 0).then_some(bytes.len()) }
    }
}
