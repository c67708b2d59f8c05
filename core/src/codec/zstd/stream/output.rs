//! Plain bytes on their way out: a ring as long as the window, which is all that a match can reach.
//!
//! Invariant: a block is no longer than the window and leaves before the next begins, so nothing is overwritten that
//! has not left.

/// The ring.
pub(super) struct Output<'m> {
    ring: &'m mut [u8],
    /// Length of the window of this frame, at most the ring's.
    window: usize,
    /// Where the next byte goes.
    at: usize,
    /// How far back a match may reach.
    history: usize,
    /// Bytes that have not left.
    waiting: usize,
    /// How many more this block may make.
    room: usize,
}

impl<'m> Output<'m> {
    pub(super) const fn new(ring: &'m mut [u8]) -> Self {
        Self { ring, window: 0, at: 0, history: 0, waiting: 0, room: 0 }
    }

    /// A frame begins.
    pub(super) const fn start(&mut self, window: usize) {
        (self.window, self.at, self.history, self.waiting) = (window, 0, 0, 0);
    }

    /// A block begins, of at most so many bytes. The one before has left.
    pub(super) const fn start_block(&mut self, room: usize) {
        self.room = room;
    }

    /// Bytes that have not left.
    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }

    fn make_room(&mut self, len: usize) -> Option<()> {
        self.room = self.room.checked_sub(len)?;
        self.waiting += len;
        Some(())
    }

    fn put(&mut self, byte: u8) {
        if let Some(cell) = self.ring.get_mut(self.at) {
            *cell = byte;
        }
        self.at += 1;
        if self.at >= self.window {
            self.at = 0;
        }
    }

    /// Appends bytes; `None` if that makes the block too long.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Option<()> {
        self.make_room(bytes.len())?;
        bytes.iter().for_each(|&byte| self.put(byte));
        self.history = self.window.min(self.history + bytes.len());
        Some(())
    }

    /// Appends a byte so many times.
    pub(super) fn fill(&mut self, byte: u8, len: usize) -> Option<()> {
        self.make_room(len)?;
        (0..len).for_each(|_| self.put(byte));
        self.history = self.window.min(self.history + len);
        Some(())
    }

    /// Appends bytes that were made `offset` bytes ago; `None` if that is too far back, or too long.
    pub(super) fn repeat(&mut self, offset: usize, len: usize) -> Option<()> {
        if offset == 0 || offset > self.history {
            return None;
        }
        self.make_room(len)?;
        let mut from = self.before(offset);
        for _ in 0..len {
            let byte = self.ring.get(from).copied()?;
            self.put(byte);
            from += 1;
            if from >= self.window {
                from = 0;
            }
        }
        self.history = self.window.min(self.history + len);
        Some(())
    }

    /// Where the byte of so long ago lies.
    const fn before(&self, offset: usize) -> usize {
        if offset <= self.at { self.at - offset } else { (self.at + self.window).saturating_sub(offset) }
    }

    /// Moves bytes out; how many.
    pub(super) fn drain(&mut self, into: &mut [u8]) -> usize {
        let from = self.before(self.waiting);
        let len = self.waiting.min(into.len()).min(self.window.saturating_sub(from));
        let bytes = self.ring.get(from..from + len).unwrap_or_default();
        into.iter_mut().zip(bytes).for_each(|(cell, &byte)| *cell = byte);
        self.waiting -= len;
        len
    }
}
