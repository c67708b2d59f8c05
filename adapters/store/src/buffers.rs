//! Buffers that are used again.
//!
//! Given back to the system and taken anew, memory is cleared and mapped page by page each time: for bytes that are
//! read, looked at once and dropped, that is a part of the whole work which can be measured.

use core::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Idle buffers, full of old bytes. Clones share them.
#[derive(Clone, Debug)]
pub struct Buffers {
    idle: Arc<Mutex<Vec<Vec<u8>>>>,
    idle_max: usize,
    len_max: usize,
}

/// A buffer; becomes idle when dropped.
#[derive(Debug)]
pub struct Buffer {
    bytes: Vec<u8>,
    home: Buffers,
}

impl Buffers {
    /// Keeps at most `idle_max` buffers that nobody uses, of at most `len_max` bytes each.
    #[must_use]
    pub fn new(idle_max: usize, len_max: usize) -> Self {
        Self { idle: Arc::default(), idle_max, len_max }
    }

    /// A buffer as its last user left it, or an empty one.
    #[must_use]
    pub fn take(&self) -> Buffer {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Buffer { bytes: idle.unwrap_or_default(), home: self.clone() }
    }
}

impl Default for Buffers {
    /// Keeps as many as were ever in use at once.
    fn default() -> Self {
        Self::new(usize::MAX, usize::MAX)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut idle = self.home.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.home.idle_max && self.bytes.capacity() <= self.home.len_max {
            idle.push(core::mem::take(&mut self.bytes));
        }
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;
    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Its bytes, to be shared: the buffer becomes idle with the last that looks at them.
impl From<Buffer> for Bytes {
    fn from(buffer: Buffer) -> Self {
        Self::from_owner(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_used_again_once_nobody_looks_at_them() {
        let buffers = Buffers::new(1, 100);
        let mut first = buffers.take();
        first.extend_from_slice(b"first");
        let shared = Bytes::from(first);
        let other = shared.slice(1..3);
        drop(shared);
        assert!(buffers.take().is_empty(), "somebody looks at the first one");
        assert_eq!(other, b"ir"[..]);
        drop(other);
        let [first, mut second] = [buffers.take(), buffers.take()];
        // The empty one that was looked at above is the one that stayed idle.
        assert!(first.is_empty() && second.is_empty());
        second.extend_from_slice(b"second");
        drop(second);
        drop(first);
        assert_eq!(buffers.take().as_slice(), b"second", "one is kept");
        let mut long = buffers.clone().take();
        assert_eq!(long.as_slice(), b"second", "for clones, too");
        long.resize(101, 0);
        drop(long);
        assert!(buffers.take().is_empty(), "one that is too long is not");
    }
}
