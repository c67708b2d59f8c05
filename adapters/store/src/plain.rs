//! Plain bytes that many chunks were decoded into, one behind the other, without a buffer for each.

use core::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

/// Plain bytes that threads can share: a buffer of their own, or a part of one that they share with others.
#[derive(Clone, PartialEq, Eq)]
pub struct PlainBytes(Kind);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Whole(Bytes),
    Part(Arc<Vec<u8>>, Range<usize>),
}

impl PlainBytes {
    /// The part of `arena` at `range`, which lies within it.
    pub(crate) const fn part(arena: Arc<Vec<u8>>, range: Range<usize>) -> Self {
        Self(Kind::Part(arena, range))
    }

    /// A buffer of their own, for who keeps them for long: a part would keep all the others, too.
    #[must_use]
    pub fn into_own(self) -> Bytes {
        match self.0 {
            Kind::Whole(bytes) => bytes,
            Kind::Part(arena, range) => Bytes::copy_from_slice(&arena[range]),
        }
    }
}

impl From<Bytes> for PlainBytes {
    fn from(whole: Bytes) -> Self {
        Self(Kind::Whole(whole))
    }
}

impl From<&[u8]> for PlainBytes {
    fn from(bytes: &[u8]) -> Self {
        Self(Kind::Whole(Bytes::copy_from_slice(bytes)))
    }
}

impl AsRef<[u8]> for PlainBytes {
    fn as_ref(&self) -> &[u8] {
        match &self.0 {
            Kind::Whole(bytes) => bytes,
            Kind::Part(arena, range) => &arena[range.clone()],
        }
    }
}

/// A buffer being filled. What is behind the bytes in use is old, and need not be cleared for new ones.
#[derive(Default)]
pub(crate) struct Arena {
    bytes: Vec<u8>,
    used: usize,
}

impl Arena {
    /// A buffer whose last use is over, if it is; else a new one.
    pub(crate) fn reusing(last: Option<Arc<Vec<u8>>>) -> Self {
        Self { bytes: last.and_then(|last| Arc::try_unwrap(last).ok()).unwrap_or_default(), used: 0 }
    }

    /// Room for `len` bytes more; `None` if there is no memory for it.
    pub(crate) fn room(&mut self, len: u64) -> Option<&mut [u8]> {
        let end = self.used.checked_add(usize::try_from(len).ok()?)?;
        if let Some(more) = end.checked_sub(self.bytes.len()) {
            self.bytes.try_reserve(more).ok()?;
            self.bytes.resize(end, 0);
        }
        Some(&mut self.bytes[self.used..end])
    }

    /// Takes the first `len` bytes of the room into use; says where they are.
    pub(crate) fn take(&mut self, len: usize) -> Range<usize> {
        let start = self.used;
        self.used += len;
        start..self.used
    }

    /// The buffer, to be shared.
    pub(crate) fn share(self) -> Arc<Vec<u8>> {
        Arc::new(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arena_is_used_again_once_nobody_looks_at_it() {
        let mut arena = Arena::default();
        arena.room(100).unwrap()[..10].fill(1);
        assert_eq!(arena.take(10), 0..10);
        arena.room(200).unwrap()[..20].fill(2);
        assert_eq!(arena.take(20), 10..30);
        let shared = arena.share();
        let part = PlainBytes::part(Arc::clone(&shared), 5..12);
        assert_eq!(part.as_ref(), [1, 1, 1, 1, 1, 2, 2]);
        assert_eq!(Arena::reusing(Some(Arc::clone(&shared))).bytes.len(), 0, "somebody looks at it");
        assert_eq!(*part.into_own(), [1, 1, 1, 1, 1, 2, 2]);
        assert_eq!(Arena::reusing(Some(shared)).bytes.len(), 210);
        assert_eq!(Arena::default().room(u64::MAX), None);
    }
}
