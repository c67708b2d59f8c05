//! Reading an index from bytes in any split, without I/O.
//!
//! Every check of the format is made here: ends that increase, chunks within the maximum, a right tail,
//! nothing behind it. What the IDs mean (digest, kind of archive) is the caller's to expect.
//!
//! Invariants
//! - However the input is split, the same items come out (test: `any_split_gives_the_same`).
//! - [`IndexParser::finish`] succeeds only after a right tail as the last bytes (test:
//!   `truncation_anywhere_is_an_error`).
//! - Memory is constant, whatever the input says.

use super::error::IndexError;
use super::header::{HEADER_LEN, Strictness};
use super::record::{ITEM_LEN, check_entry, check_tail};
use super::{ChunkEntry, IndexHeader, IndexItem};
use crate::limits::Limits;

/// What [`IndexParser::next`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum IndexEvent {
    /// The header: always the first event.
    Header(IndexHeader),
    /// The next chunk. It may be acted on at once, but the index is complete only after `finish`.
    Chunk(ChunkEntry),
}

/// A parser that is fed bytes and gives events.
#[derive(Clone, Debug)]
pub struct IndexParser {
    limits: Limits,
    strictness: Strictness,
    state: State,
    /// Bytes taken so far, those of `pending` included.
    offset: u64,
    chunks: u64,
    /// End of the chunk before.
    end: u64,
    chunk_len_max: u64,
    /// The start of a record whose rest has not come yet.
    pending: [u8; HEADER_LEN],
    pending_len: usize,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Header,
    Items,
    Ended,
    Failed(IndexError),
}

impl IndexParser {
    /// A parser at the start of an index.
    #[must_use]
    pub const fn new(limits: Limits, strictness: Strictness) -> Self {
        Self {
            limits,
            strictness,
            state: State::Header,
            offset: 0,
            chunks: 0,
            end: 0,
            chunk_len_max: 0,
            pending: [0; HEADER_LEN],
            pending_len: 0,
        }
    }

    /// Number of chunks found so far.
    #[must_use]
    pub const fn chunks(&self) -> u64 {
        self.chunks
    }

    /// End of the last chunk found so far: after `finish` succeeded, the length of the blob in bytes.
    #[must_use]
    pub const fn blob_len(&self) -> u64 {
        self.end
    }

    /// Takes bytes from the front of `input` up to and including the next event; `None` once `input` is
    /// used up and more is needed.
    ///
    /// # Errors
    /// [`IndexError`] at the first byte that makes the input no index. The parser gives the same error from
    /// then on.
    #[inline]
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<IndexEvent>, IndexError> {
        if let State::Items = self.state
            && self.pending_len == 0
            && let Some((record, rest)) = input.split_first_chunk::<ITEM_LEN>()
        {
            // The common case, kept small: a whole item lies in the input.
            *input = rest;
            self.offset += ITEM_LEN as u64;
            let event = self.record(record)?;
            return if event.is_some() { Ok(event) } else { self.after_tail(input) };
        }
        self.next_slowly(input)
    }

    /// Declares the end of the input.
    ///
    /// # Errors
    /// [`IndexError::Truncated`] if the tail has not been seen, or the error met before.
    pub const fn finish(&self) -> Result<(), IndexError> {
        match self.state {
            State::Ended => Ok(()),
            State::Failed(error) => Err(error),
            State::Header | State::Items => {
                Err(IndexError::Truncated { offset: self.offset, chunks: self.chunks })
            }
        }
    }

    #[cold]
    fn next_slowly(&mut self, input: &mut &[u8]) -> Result<Option<IndexEvent>, IndexError> {
        match self.state {
            State::Failed(error) => Err(error),
            State::Ended => self.after_tail(input),
            State::Header => {
                if !self.gather(input, HEADER_LEN) {
                    return Ok(None);
                }
                let header = IndexHeader::parse(&self.pending, &self.limits, self.strictness)
                    .map_err(|error| self.fail(error))?;
                self.chunk_len_max = header.sizes.max();
                self.state = State::Items;
                Ok(Some(IndexEvent::Header(header)))
            }
            State::Items => {
                if !self.gather(input, ITEM_LEN) {
                    return Ok(None);
                }
                let record = *self.pending.first_chunk().unwrap_or(&[0; ITEM_LEN]);
                let event = self.record(&record)?;
                if event.is_some() { Ok(event) } else { self.after_tail(input) }
            }
        }
    }

    /// Nothing may follow the tail.
    fn after_tail(&mut self, input: &[u8]) -> Result<Option<IndexEvent>, IndexError> {
        if input.is_empty() {
            return Ok(None);
        }
        Err(self.fail(IndexError::TrailingBytes { offset: self.offset }))
    }

    /// Moves bytes from `input` until `wanted` are pending; whether they are. If so they count as used.
    fn gather(&mut self, input: &mut &[u8], wanted: usize) -> bool {
        let free = self.pending.get_mut(self.pending_len..wanted).unwrap_or_default();
        let taken = free.len().min(input.len());
        let (front, rest) = input.split_at_checked(taken).unwrap_or_default();
        free.iter_mut().zip(front).for_each(|(place, &byte)| *place = byte);
        self.pending_len += taken;
        self.offset += taken as u64;
        *input = rest;
        let complete = self.pending_len == wanted;
        if complete {
            self.pending_len = 0;
        }
        complete
    }

    /// Judges one record of the table: an item, or the tail (`None`).
    #[inline]
    fn record(&mut self, record: &[u8; ITEM_LEN]) -> Result<Option<IndexEvent>, IndexError> {
        let item = IndexItem::parse(record);
        if item.end == 0 {
            self.state = State::Ended;
            check_tail(record, self.chunks).map_err(|error| self.fail(error))?;
            return Ok(None);
        }
        let entry = ChunkEntry { start: self.end, end: item.end, id: item.id };
        let offset = self.offset - ITEM_LEN as u64;
        check_entry(&entry, self.chunk_len_max, self.chunks, offset).map_err(|error| self.fail(error))?;
        self.end = item.end;
        self.chunks += 1;
        Ok(Some(IndexEvent::Chunk(entry)))
    }

    #[cold]
    fn fail(&mut self, error: IndexError) -> IndexError {
        self.state = State::Failed(error);
        error
    }
}

#[cfg(test)]
mod tests;
