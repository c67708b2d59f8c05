//! What `make` reads: bytes and holes, in order.

use crate::Error;

/// What came from an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Bytes were appended to the buffer.
    Data,
    /// This many zeros follow that need not be read.
    Hole(u64),
}

/// A blob to be read once, from front to back.
pub trait Extents {
    /// Length of the blob in bytes, where it is known beforehand.
    fn len(&self) -> Option<u64>;

    /// Appends bytes to `buffer` until it holds at most `len_max`, or reports a hole; `None` at the end.
    ///
    /// # Errors
    /// If reading fails, or the input turns out shorter than it said.
    fn next(&mut self, buffer: &mut Vec<u8>, len_max: usize) -> Result<Option<Extent>, Error>;
}

/// Bytes in memory as an input.
impl Extents for &[u8] {
    fn len(&self) -> Option<u64> {
        Some((**self).len() as u64)
    }

    fn next(&mut self, buffer: &mut Vec<u8>, len_max: usize) -> Result<Option<Extent>, Error> {
        if self.is_empty() {
            return Ok(None);
        }
        let (now, later) = self.split_at(self.as_ref().len().min(len_max - buffer.len()));
        buffer.extend_from_slice(now);
        *self = later;
        Ok(Some(Extent::Data))
    }
}
