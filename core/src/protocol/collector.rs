//! Whole messages from a reader, for those who have the memory.
//!
//! Invariant: memory grows as bytes arrive, never by what a message claims (test:
//! `a_claimed_size_costs_no_memory`).

use alloc::vec::Vec;

use super::error::ProtocolError;
use super::message::Message;
use super::reader::{Event, Head, MessageReader};
use crate::digest::{CHUNK_ID_LEN, ChunkId};
use crate::limits::Limits;

/// Collects the events of one direction into messages.
#[derive(Clone, Debug)]
pub struct MessageCollector {
    reader: MessageReader,
    /// The head of the message whose parts are coming.
    head: Option<Head>,
    /// Parts that are still to come: names or bytes.
    left: u64,
    ids: Vec<ChunkId>,
    body: Vec<u8>,
}

impl MessageCollector {
    /// A collector at the start of a stream.
    #[must_use]
    pub const fn new(limits: &Limits) -> Self {
        Self { reader: MessageReader::new(limits), head: None, left: 0, ids: Vec::new(), body: Vec::new() }
    }

    /// Takes bytes from the front of `input` up to the end of the next message; `None` once `input` is used
    /// up and more is needed.
    ///
    /// # Errors
    /// As [`MessageReader::next`], or [`ProtocolError::OutOfMemory`].
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Message<'_>>, ProtocolError> {
        while let Some(event) = self.reader.next(input)? {
            match event {
                Event::Requested(id) => {
                    reserve(&mut self.ids, 1, self.left * CHUNK_ID_LEN as u64)?;
                    self.ids.push(id);
                    self.left -= 1;
                }
                Event::Body { bytes, last } => {
                    reserve(&mut self.body, bytes.len(), self.left)?;
                    self.body.extend_from_slice(bytes);
                    self.left = if last { 0 } else { self.left - bytes.len() as u64 };
                }
                Event::Head(head) => self.begin(head),
            }
            if self.left == 0
                && let Some(head) = self.head.take()
            {
                return Ok(Some(self.message(head)));
            }
        }
        Ok(None)
    }

    /// Declares the end of the stream.
    ///
    /// # Errors
    /// As [`MessageReader::finish`].
    pub const fn finish(&self) -> Result<(), ProtocolError> {
        self.reader.finish()
    }

    /// Bytes of memory for the parts of one message.
    #[cfg(test)]
    pub(super) const fn held(&self) -> usize {
        self.body.capacity() + self.ids.capacity() * CHUNK_ID_LEN
    }

    fn begin(&mut self, head: Head) {
        self.ids.clear();
        self.body.clear();
        self.head = Some(head);
        self.left = match head {
            Head::Index { len } | Head::Archive { len } | Head::Chunk { len, .. } => len,
            Head::Request { count, .. } => count,
            // And the NUL behind it, with which alone the message is right.
            Head::Abort { reason_len, .. } => reason_len + 1,
            Head::Hello(_) | Head::IndexEof | Head::ArchiveEof | Head::Missing(_) | Head::Goodbye => 0,
        };
    }

    fn message(&self, head: Head) -> Message<'_> {
        match head {
            Head::Hello(services) => Message::Hello(services),
            Head::Index { .. } => Message::Index(&self.body),
            Head::IndexEof => Message::IndexEof,
            Head::Archive { .. } => Message::Archive(&self.body),
            Head::ArchiveEof => Message::ArchiveEof,
            Head::Request { priority, .. } => Message::Request { priority, ids: &self.ids },
            Head::Chunk { form, id, .. } => Message::Chunk { form, id, data: &self.body },
            Head::Missing(id) => Message::Missing(id),
            Head::Goodbye => Message::Goodbye,
            Head::Abort { code, .. } => Message::Abort { code, reason: &self.body },
        }
    }
}

fn reserve<T>(buffer: &mut Vec<T>, additional: usize, len: u64) -> Result<(), ProtocolError> {
    buffer.try_reserve(additional).map_err(|_| ProtocolError::OutOfMemory { len })
}
