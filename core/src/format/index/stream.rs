//! Indexes over `embedded_io` readers and writers, a buffer at a time.
//!
//! Here is only the pumping; what is right is judged by [`super::IndexParser`] and [`super::IndexEncoder`].

use alloc::vec;
use alloc::vec::Vec;

use embedded_io::{Read, Write};

use super::encoder::IndexEncoder;
use super::error::IndexError;
use super::header::Strictness;
use super::parser::{IndexEvent, IndexParser};
use super::record::chunks_in;
use super::{ChunkEntry, Index, IndexHeader, IndexItem, chunks_max};
use crate::limits::Limits;

/// Length of the buffer that [`IndexReader::new`] and [`IndexWriter::new`] bring along, in bytes.
pub const STREAM_BUFFER_LEN: usize = 64 << 10;

/// A stream that failed, or does not carry an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum IndexStreamError<E> {
    /// The reader or writer failed.
    #[error("{0}")]
    Stream(E),
    /// The index is refused.
    #[error(transparent)]
    Index(IndexError),
}

impl<E> From<IndexError> for IndexStreamError<E> {
    fn from(error: IndexError) -> Self {
        Self::Index(error)
    }
}

/// Reads an index chunk by chunk in constant memory.
///
/// `B` is the buffer; it must not be empty, for then every input looks truncated.
#[derive(Debug)]
pub struct IndexReader<R, B = Vec<u8>> {
    reader: R,
    buffer: B,
    /// Where in the buffer the bytes not parsed yet lie.
    unparsed: core::ops::Range<usize>,
    parser: IndexParser,
    header: IndexHeader,
}

impl<R: Read> IndexReader<R> {
    /// Reads the header, with a buffer of [`STREAM_BUFFER_LEN`].
    ///
    /// # Errors
    /// As [`IndexReader::next_chunk`].
    pub fn new(
        reader: R,
        limits: &Limits,
        strictness: Strictness,
    ) -> Result<Self, IndexStreamError<R::Error>> {
        Self::with_buffer(reader, vec![0; STREAM_BUFFER_LEN], limits, strictness)
    }
}

impl<R: Read, B: AsRef<[u8]> + AsMut<[u8]>> IndexReader<R, B> {
    /// Reads the header, with the caller's buffer.
    ///
    /// # Errors
    /// As [`IndexReader::next_chunk`].
    pub fn with_buffer(
        mut reader: R,
        mut buffer: B,
        limits: &Limits,
        strictness: Strictness,
    ) -> Result<Self, IndexStreamError<R::Error>> {
        let mut parser = IndexParser::new(*limits, strictness);
        loop {
            let len = reader.read(buffer.as_mut()).map_err(IndexStreamError::Stream)?;
            let mut input = &buffer.as_ref()[..len];
            match parser.next(&mut input)? {
                Some(IndexEvent::Header(header)) => {
                    let unparsed = len - input.len()..len;
                    return Ok(Self { reader, buffer, unparsed, parser, header });
                }
                // The header is the first event, so nothing else comes before it.
                Some(IndexEvent::Chunk(_)) | None => {}
            }
            if len == 0 {
                parser.finish()?;
            }
        }
    }

    /// What the index says of itself.
    #[must_use]
    pub const fn header(&self) -> IndexHeader {
        self.header
    }

    /// Number of chunks read so far.
    #[must_use]
    pub const fn chunks(&self) -> u64 {
        self.parser.chunks()
    }

    /// End of the last chunk read so far: the length of the blob in bytes once all are read.
    #[must_use]
    pub const fn blob_len(&self) -> u64 {
        self.parser.blob_len()
    }

    /// The next chunk; `None` after the last, once the tail was right and the input has ended.
    ///
    /// # Errors
    /// The reader's own, or why the input is no index. Chunks given before the error are not a shorter
    /// index: without a `None` there is no index at all.
    #[inline]
    pub fn next_chunk(&mut self) -> Result<Option<ChunkEntry>, IndexStreamError<R::Error>> {
        loop {
            let mut input = &self.buffer.as_ref()[self.unparsed.clone()];
            let event = self.parser.next(&mut input)?;
            self.unparsed.start = self.unparsed.end - input.len();
            match event {
                Some(IndexEvent::Chunk(entry)) => return Ok(Some(entry)),
                Some(IndexEvent::Header(_)) => {}
                None => {
                    let len = self.reader.read(self.buffer.as_mut()).map_err(IndexStreamError::Stream)?;
                    self.unparsed = 0..len;
                    if len == 0 {
                        self.parser.finish()?;
                        return Ok(None);
                    }
                }
            }
        }
    }
}

/// Reads a whole index into memory.
///
/// `len_hint` is the length of the input in bytes, where it is known; a wrong hint costs time, not memory.
///
/// # Errors
/// As [`IndexReader::next_chunk`]; also [`IndexError::TooManyChunks`] and [`IndexError::OutOfMemory`].
pub fn read_all<R: Read>(
    reader: R,
    limits: &Limits,
    strictness: Strictness,
    len_hint: Option<u64>,
) -> Result<Index, IndexStreamError<R::Error>> {
    let mut reader = IndexReader::new(reader, limits, strictness)?;
    let limit = chunks_max(limits);
    let mut items = Vec::new();
    let hinted = len_hint.and_then(chunks_in).filter(|chunks| *chunks <= limit);
    if let Some(chunks) = hinted.and_then(|chunks| usize::try_from(chunks).ok()) {
        // Without that much memory at once, the chunks that really come are still tried.
        let _ = items.try_reserve_exact(chunks);
    }
    while let Some(entry) = reader.next_chunk()? {
        let chunks = items.len() as u64 + 1;
        if chunks > limit {
            return Err(IndexError::TooManyChunks { limit }.into());
        }
        items.try_reserve(1).map_err(|_| IndexError::OutOfMemory { chunks })?;
        items.push(IndexItem { end: entry.end, id: entry.id });
    }
    Ok(Index { header: reader.header(), items })
}

/// Writes an index chunk by chunk in constant memory.
///
/// Until [`IndexWriter::finish`] succeeded what was written is a truncated index, which every reader
/// refuses.
#[derive(Debug)]
pub struct IndexWriter<W, B = Vec<u8>> {
    writer: W,
    buffer: B,
    filled: usize,
    encoder: IndexEncoder,
}

impl<W: Write> IndexWriter<W> {
    /// Starts an index, with a buffer of [`STREAM_BUFFER_LEN`].
    ///
    /// # Errors
    /// The writer's own.
    pub fn new(writer: W, header: IndexHeader) -> Result<Self, IndexStreamError<W::Error>> {
        Self::with_buffer(writer, header, vec![0; STREAM_BUFFER_LEN])
    }
}

impl<W: Write, B: AsRef<[u8]> + AsMut<[u8]>> IndexWriter<W, B> {
    /// Starts an index, with the caller's buffer (of any length; an empty one means unbuffered writes).
    ///
    /// # Errors
    /// The writer's own.
    pub fn with_buffer(
        writer: W,
        header: IndexHeader,
        buffer: B,
    ) -> Result<Self, IndexStreamError<W::Error>> {
        let mut this = Self { writer, buffer, filled: 0, encoder: IndexEncoder::new(header) };
        let header = this.encoder.header();
        this.append(&header)?;
        Ok(this)
    }

    /// Adds the next chunk.
    ///
    /// # Errors
    /// [`IndexError::NotIncreasing`] or [`IndexError::ChunkTooLarge`], with nothing written; or the writer's
    /// own.
    #[inline]
    pub fn push(&mut self, item: &IndexItem) -> Result<(), IndexStreamError<W::Error>> {
        let record = self.encoder.item(item)?;
        self.append(&record)
    }

    /// Number of chunks so far.
    #[must_use]
    pub const fn chunks(&self) -> u64 {
        self.encoder.chunks()
    }

    /// Length of the blob so far, in bytes.
    #[must_use]
    pub const fn blob_len(&self) -> u64 {
        self.encoder.blob_len()
    }

    /// Writes the tail, flushes, and gives the writer back.
    ///
    /// # Errors
    /// The writer's own.
    pub fn finish(mut self) -> Result<W, IndexStreamError<W::Error>> {
        let tail = self.encoder.tail();
        self.append(&tail)?;
        self.drain()?;
        self.writer.flush().map_err(IndexStreamError::Stream)?;
        Ok(self.writer)
    }

    #[inline]
    fn append(&mut self, bytes: &[u8]) -> Result<(), IndexStreamError<W::Error>> {
        if self.buffer.as_ref().len() - self.filled < bytes.len() {
            self.drain()?;
        }
        match self.buffer.as_mut().get_mut(self.filled..self.filled + bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.filled += bytes.len();
                Ok(())
            }
            // A buffer smaller than one record.
            None => self.writer.write_all(bytes).map_err(IndexStreamError::Stream),
        }
    }

    fn drain(&mut self) -> Result<(), IndexStreamError<W::Error>> {
        let filled = &self.buffer.as_ref()[..self.filled];
        self.writer.write_all(filled).map_err(IndexStreamError::Stream)?;
        self.filled = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
