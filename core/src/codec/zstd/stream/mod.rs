//! Zstd decoding of stored bytes that arrive in pieces, in memory that the caller brings: for devices.
//!
//! Why not `ruzstd`: what it allocates follows from numbers in the frame. A match of 128 KiB in a window of 2 KiB
//! is made before it is found too long, and where memory lacks it panics. Neither may happen on a device
//! whose memory is counted, and whoever sends the frame is not trusted. This decoder takes three times the window
//! and 9 KiB of tables, whatever the frame says, has no way to panic, and is a third of the code. Tests hold it to
//! `ruzstd` (`streams_agree…`), to libzstd (in `desync-codec`) and, in the fuzzer, to both.
//!
//! Invariants
//! - Memory is what was handed in; nothing is allocated.
//! - How the stored bytes are split changes nothing (test: `any_split_gives_the_same`).
//! - Nothing is promised of the plain bytes before [`ZstdStream::finish`], and even then only that the frame
//!   was whole: who they are is for a digest to say. For that reason a frame's own checksum is not looked at.

mod bits;
mod fse;
mod huffman;
mod literals;
mod output;
mod sequences;

use self::huffman::{HuffmanTable, TABLE_LEN};
use self::literals::read_literals;
use self::output::Output;
use self::sequences::{LITERALS_TABLE_LEN, MATCHES_TABLE_LEN, OFFSETS_TABLE_LEN, Sequences};
use super::super::DecodeError;
use super::block::BLOCK_LEN_MAX;
use super::frame::{Header, MAGIC};

/// Magic number, descriptor, window, dictionary and content length: the longest header.
const HEADER_LEN_MAX: usize = 4 + 1 + 1 + 4 + 8;
const BLOCK_HEADER_LEN: usize = 3;
const CHECKSUM_LEN: usize = 4;

/// Bytes of all tables.
const TABLES_LEN: usize = TABLE_LEN + LITERALS_TABLE_LEN + OFFSETS_TABLE_LEN + MATCHES_TABLE_LEN;

/// Bytes of memory that a [`ZstdStream`] takes for frames of such a window: the window, a block as it is
/// stored, its literals, and tables.
#[must_use]
pub const fn stream_memory(window: usize) -> usize {
    let block = if window as u64 > BLOCK_LEN_MAX { BLOCK_LEN_MAX as usize } else { window };
    TABLES_LEN.saturating_add(window).saturating_add(2 * block)
}

/// The longest window for which memory of such a length is enough.
const fn window_in(memory: usize) -> usize {
    let rest = memory.saturating_sub(TABLES_LEN);
    let longest = BLOCK_LEN_MAX as usize;
    if rest / 3 > longest { rest - 2 * longest } else { rest / 3 }
}

/// Decodes one frame after the other in the same memory.
pub struct ZstdStream<'m> {
    state: State,
    /// The end of what `gathered` holds.
    filled: usize,
    /// Stored bytes of the part that is being gathered: a header, or a block.
    gathered: &'m mut [u8],
    head: [u8; HEADER_LEN_MAX],
    literals: &'m mut [u8],
    huffman: HuffmanTable<'m>,
    sequences: Sequences<'m>,
    output: Output<'m>,
    window_max: u64,
    len_max: u64,
    /// Plain bytes made.
    len: u64,
    header: Header,
}

/// What the next stored bytes are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    FrameHeader,
    BlockHeader,
    BlockBody { block: BlockHeader },
    Checksum,
    Ended,
    Failed,
}

/// What stands before a block.
#[derive(Clone, Copy, PartialEq, Eq)]
struct BlockHeader {
    is_last: bool,
    kind: u8,
    size: usize,
}

impl<'m> ZstdStream<'m> {
    /// Accepts windows of up to `window_max` bytes, as far as [`stream_memory`] has room for them.
    #[must_use]
    pub fn new(memory: &'m mut [u8], window_max: u64) -> Self {
        let window = usize::try_from(window_max).unwrap_or(usize::MAX).min(window_in(memory.len()));
        let block = window.min(BLOCK_LEN_MAX as usize);
        let mut rest = memory;
        let mut split = |len| {
            let (front, behind) = core::mem::take(&mut rest).split_at_mut_checked(len).unwrap_or_default();
            rest = behind;
            front
        };
        let huffman = HuffmanTable::new(split(TABLE_LEN));
        let tables = [LITERALS_TABLE_LEN, OFFSETS_TABLE_LEN, MATCHES_TABLE_LEN].map(&mut split);
        let [literals_table, offsets_table, matches_table] = tables;
        Self {
            state: State::Failed,
            filled: 0,
            gathered: split(block),
            head: [0; _],
            literals: split(block),
            huffman,
            sequences: Sequences::new(literals_table, offsets_table, matches_table),
            output: Output::new(split(window)),
            window_max: window as u64,
            len_max: 0,
            len: 0,
            header: Header { window_len: 0, content_len: None, has_checksum: false },
        }
    }

    /// The longest window that is accepted, in bytes.
    #[must_use]
    pub const fn window_max(&self) -> u64 {
        self.window_max
    }

    /// Begins a frame of at most `len_max` plain bytes; whatever was under way is forgotten.
    pub fn start(&mut self, len_max: u64) {
        self.state = State::FrameHeader;
        self.output.start(0);
        (self.filled, self.len_max, self.len) = (0, len_max, 0);
    }

    /// Takes stored bytes from the front of `stored` and puts plain bytes into `plain`; returns how many.
    ///
    /// 0 means that `stored` is used up (or `plain` is empty): call again with more, or [`Self::finish`].
    ///
    /// # Errors
    /// Any [`DecodeError`], and [`DecodeError::Damaged`] from then on.
    pub fn pull(&mut self, stored: &mut &[u8], plain: &mut [u8]) -> Result<usize, DecodeError> {
        let pulled = self.try_pull(stored, plain);
        if pulled.is_err() {
            self.state = State::Failed;
        }
        pulled
    }

    /// Declares the end of the stored bytes.
    ///
    /// # Errors
    /// [`DecodeError::Damaged`] if the frame is not whole; [`DecodeError::Empty`] if nothing came out.
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.state {
            State::FrameHeader if self.filled == 0 => Err(DecodeError::Empty),
            State::Ended if self.output.waiting() > 0 => Err(DecodeError::Damaged),
            State::Ended if self.header.content_len.is_some_and(|len| len != self.len) => {
                Err(DecodeError::Damaged)
            }
            State::Ended if self.len == 0 => Err(DecodeError::Empty),
            State::Ended => Ok(()),
            _ => Err(DecodeError::Damaged),
        }
    }

    fn try_pull(&mut self, stored: &mut &[u8], plain: &mut [u8]) -> Result<usize, DecodeError> {
        loop {
            if self.output.waiting() > 0 {
                return Ok(self.output.drain(plain));
            }
            let more = match self.state {
                State::FrameHeader => self.frame_header(stored)?,
                State::BlockHeader => self.block_header(stored)?,
                State::BlockBody { block } => self.block_body(stored, block)?,
                State::Checksum => self.checksum(stored),
                State::Ended if stored.is_empty() => false,
                State::Ended => return Err(DecodeError::TrailingBytes),
                State::Failed => return Err(DecodeError::Damaged),
            };
            if !more {
                return Ok(0);
            }
        }
    }

    fn frame_header(&mut self, stored: &mut &[u8]) -> Result<bool, DecodeError> {
        // A header tells its length only as it is read, so it is tried anew with each byte.
        while let Some((&byte, rest)) = stored.split_first() {
            *stored = rest;
            let cell = self.head.get_mut(self.filled).ok_or(DecodeError::Damaged)?;
            *cell = byte;
            self.filled += 1;
            let known = self.head.get(..self.filled).unwrap_or_default();
            if known.iter().zip(MAGIC).any(|(&found, expected)| found != expected) {
                return Err(DecodeError::UnknownFormat);
            }
            match known.strip_prefix(&MAGIC).map(Header::parse) {
                Some(Ok((header, _))) => return self.begin(header).map(|()| true),
                // Too short as yet, unless no header is that long.
                _ if known.len() < HEADER_LEN_MAX => {}
                _ => return Err(DecodeError::Damaged),
            }
        }
        Ok(false)
    }

    fn begin(&mut self, header: Header) -> Result<(), DecodeError> {
        let len_max = self.len_max;
        match header.content_len {
            Some(len) if len > len_max => return Err(DecodeError::TooLong { limit: len_max }),
            Some(0) => return Err(DecodeError::Empty),
            _ => {}
        }
        // No match reaches back behind the beginning: more window than content is never needed.
        let window_len = header.window_len.min(header.content_len.unwrap_or(len_max));
        if window_len > self.window_max {
            return Err(DecodeError::WindowTooLarge { limit: self.window_max });
        }
        self.output.start(window_len as usize);
        self.huffman.clear();
        self.sequences.clear();
        self.header = Header { window_len, ..header };
        self.expect(State::BlockHeader);
        Ok(())
    }

    fn block_header(&mut self, stored: &mut &[u8]) -> Result<bool, DecodeError> {
        if !gather(stored, &mut self.head, &mut self.filled, BLOCK_HEADER_LEN) {
            return Ok(false);
        }
        let [low, middle, high, ..] = self.head;
        let word = u32::from_le_bytes([low, middle, high, 0]);
        let block =
            BlockHeader { is_last: word & 1 != 0, kind: (word >> 1 & 3) as u8, size: (word >> 3) as usize };
        // A block is never longer than the window, which bounds what is gathered.
        if u64::from(word >> 3) > self.header.block_len_max() {
            return Err(DecodeError::Damaged);
        }
        self.expect(State::BlockBody { block });
        Ok(true)
    }

    fn block_body(&mut self, stored: &mut &[u8], block: BlockHeader) -> Result<bool, DecodeError> {
        let len = if block.kind == 1 { 1 } else { block.size };
        if !gather(stored, self.gathered, &mut self.filled, len) {
            return Ok(false);
        }
        self.output.start_block(self.header.block_len_max() as usize);
        self.decode_block(block, len).ok_or(DecodeError::Damaged)?;
        self.len += self.output.waiting() as u64;
        if self.len > self.len_max {
            return Err(DecodeError::TooLong { limit: self.len_max });
        }
        self.expect(match (block.is_last, self.header.has_checksum) {
            (false, _) => State::BlockHeader,
            (true, true) => State::Checksum,
            (true, false) => State::Ended,
        });
        Ok(true)
    }

    fn decode_block(&mut self, block: BlockHeader, len: usize) -> Option<()> {
        let body = self.gathered.get(..len)?;
        match block.kind {
            0 => self.output.push(body),
            1 => self.output.fill(*body.first()?, block.size),
            2 => {
                let (count, sequences) = read_literals(body, &mut self.huffman, self.literals)?;
                self.sequences.execute(sequences, self.literals.get(..count)?, &mut self.output)
            }
            _ => None,
        }
    }

    fn checksum(&mut self, stored: &mut &[u8]) -> bool {
        let whole = gather(stored, &mut self.head, &mut self.filled, CHECKSUM_LEN);
        if whole {
            self.expect(State::Ended);
        }
        whole
    }

    fn expect(&mut self, state: State) {
        self.state = state;
        self.filled = 0;
    }
}

/// Moves stored bytes until `wanted` are gathered; whether they are.
fn gather(stored: &mut &[u8], into: &mut [u8], filled: &mut usize, wanted: usize) -> bool {
    let free = into.get_mut(*filled..wanted).unwrap_or_default();
    let taken = free.len().min(stored.len());
    let (front, rest) = stored.split_at_checked(taken).unwrap_or_default();
    free.iter_mut().zip(front).for_each(|(cell, &byte)| *cell = byte);
    *stored = rest;
    *filled += taken;
    *filled == wanted
}
