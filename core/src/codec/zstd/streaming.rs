//! Zstd decoding of stored bytes that arrive in pieces: plain bytes leave block by block.
//!
//! For machines that hold neither a stored nor a plain chunk. The frame's words are weighed by the same code
//! as in [`super::Frame`], one block at a time instead of all beforehand.
//!
//! Invariants
//! - Memory follows from the window limit alone, whatever the chunk's length (test:
//!   `tests/zstd_memory.rs`): one stored block, and what `ruzstd` needs for a window and a block.
//! - How the stored bytes are split changes nothing (test: `any_split_gives_the_same`).
//! - Nothing is promised of the plain bytes before [`ZstdStream::finish`], and even then only that the frame
//!   was whole: who they are is for a digest to say.

use alloc::vec::Vec;

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::io::Read as _;

use super::super::DecodeError;
use super::block::Block;
use super::frame::{Header, MAGIC};
use super::header_for;
use crate::limits::Limits;

/// Magic number, descriptor, window, dictionary and content length: the longest header.
const HEADER_LEN_MAX: usize = 4 + 1 + 1 + 4 + 8;
const BLOCK_HEADER_LEN: usize = 3;
const CHECKSUM_LEN: usize = 4;

/// Decodes one frame after the other; keep one and reuse it, its buffers stay.
pub struct ZstdStream {
    window_max: u64,
    frames: FrameDecoder,
    state: State,
    /// Stored bytes of the part that is being gathered.
    gathered: Vec<u8>,
    len_max: u64,
    /// Plain bytes handed out.
    len: u64,
    header: Header,
}

/// What the next stored bytes are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    FrameHeader,
    BlockHeader,
    BlockBody { len: usize },
    Checksum,
    Ended,
    Failed,
}

impl ZstdStream {
    /// Accepts windows of up to [`Limits::zstd_window_max`]. Allocates nothing yet.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let mut frames = FrameDecoder::new();
        frames.set_max_window_size(limits.zstd_window_max);
        let header = Header { window_len: 0, content_len: None, has_checksum: false };
        let (window_max, gathered) = (limits.zstd_window_max, Vec::new());
        Self { window_max, frames, state: State::Failed, gathered, len_max: 0, len: 0, header }
    }

    /// Begins a frame of at most `len_max` plain bytes; whatever was under way is forgotten.
    pub fn start(&mut self, len_max: u64) {
        self.state = State::FrameHeader;
        self.gathered.clear();
        (self.len_max, self.len) = (len_max, 0);
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
            State::FrameHeader if self.gathered.is_empty() => Err(DecodeError::Empty),
            State::Ended if self.frames.can_collect() > 0 => Err(DecodeError::Damaged),
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
            if !matches!(self.state, State::FrameHeader | State::Failed) {
                let len = self.drain(plain)?;
                if len > 0 || plain.is_empty() {
                    return Ok(len);
                }
            }
            let more = match self.state {
                State::FrameHeader => self.frame_header(stored)?,
                State::BlockHeader => self.block_header(stored)?,
                State::BlockBody { len } => self.block_body(stored, len)?,
                State::Checksum => self.checksum(stored)?,
                State::Ended if stored.is_empty() => false,
                State::Ended => return Err(DecodeError::TrailingBytes),
                State::Failed => return Err(DecodeError::Damaged),
            };
            if !more {
                return Ok(0);
            }
        }
    }

    /// Moves out what no later match can need; at the end of the frame all of it.
    fn drain(&mut self, plain: &mut [u8]) -> Result<usize, DecodeError> {
        let room = self.frames.can_collect().min(plain.len());
        let len = self.frames.read(&mut plain[..room]).map_err(|_| DecodeError::Damaged)?;
        self.len += len as u64;
        if self.len > self.len_max { Err(DecodeError::TooLong { limit: self.len_max }) } else { Ok(len) }
    }

    fn frame_header(&mut self, stored: &mut &[u8]) -> Result<bool, DecodeError> {
        // A header tells its length only as it is read, so it is tried anew with each byte.
        while let Some((&byte, rest)) = stored.split_first() {
            *stored = rest;
            self.keep(&[byte])?;
            let known = self.gathered.len().min(MAGIC.len());
            if self.gathered[..known] != MAGIC[..known] {
                return Err(DecodeError::UnknownFormat);
            }
            match self.gathered.strip_prefix(&MAGIC).map(Header::parse) {
                Some(Ok((header, _))) => return self.begin(header).map(|()| true),
                // Too short as yet, unless no header is that long.
                _ if self.gathered.len() < HEADER_LEN_MAX => {}
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
        self.frames.reset(&header_for(window_len)[..]).map_err(|_| DecodeError::Damaged)?;
        self.header = Header { window_len, ..header };
        self.expect(State::BlockHeader);
        Ok(())
    }

    fn block_header(&mut self, stored: &mut &[u8]) -> Result<bool, DecodeError> {
        if !self.gather(stored, BLOCK_HEADER_LEN)? {
            return Ok(false);
        }
        let word = self.gathered.iter().rev().fold(0_u32, |word, &byte| word << 8 | u32::from(byte));
        let (is_repeat, size) = (word >> 1 & 3 == 1, word >> 3);
        // A block is never longer than the window, which bounds what is gathered.
        if u64::from(size) > self.header.block_len_max() {
            return Err(DecodeError::Damaged);
        }
        self.state = State::BlockBody { len: if is_repeat { 1 } else { size as usize } };
        Ok(true)
    }

    fn block_body(&mut self, stored: &mut &[u8], len: usize) -> Result<bool, DecodeError> {
        if !self.gather(stored, BLOCK_HEADER_LEN + len)? {
            return Ok(false);
        }
        let (block, _) = Block::parse(&self.gathered, self.header.block_len_max())?;
        let waiting = self.frames.can_collect() as u64;
        if self.len + waiting + block.at_least > self.len_max {
            return Err(DecodeError::TooLong { limit: self.len_max });
        }
        self.frames
            .decode_blocks(&mut &self.gathered[..], BlockDecodingStrategy::UptoBlocks(1))
            .map_err(|_| DecodeError::Damaged)?;
        self.expect(match (block.is_last, self.header.has_checksum) {
            (false, _) => State::BlockHeader,
            (true, true) => State::Checksum,
            (true, false) => State::Ended,
        });
        Ok(true)
    }

    /// The sum is over plain bytes, all of which have been drained by now.
    fn checksum(&mut self, stored: &mut &[u8]) -> Result<bool, DecodeError> {
        if !self.gather(stored, CHECKSUM_LEN)? {
            return Ok(false);
        }
        let sum = self.frames.get_calculated_checksum().map(u32::to_le_bytes);
        if sum.is_none_or(|sum| sum[..] != self.gathered[..]) {
            return Err(DecodeError::Damaged);
        }
        self.expect(State::Ended);
        Ok(true)
    }

    fn expect(&mut self, state: State) {
        self.state = state;
        self.gathered.clear();
    }

    /// Moves stored bytes until `wanted` are gathered; whether they are.
    fn gather(&mut self, stored: &mut &[u8], wanted: usize) -> Result<bool, DecodeError> {
        let taken = wanted.saturating_sub(self.gathered.len()).min(stored.len());
        let (front, rest) = stored.split_at(taken);
        *stored = rest;
        // All at once: growing by doubling would take twice as much.
        let missing = wanted.saturating_sub(self.gathered.len());
        let out_of_memory = |_| DecodeError::OutOfMemory { len: wanted as u64 };
        self.gathered.try_reserve_exact(missing).map_err(out_of_memory)?;
        self.keep(front)?;
        Ok(self.gathered.len() == wanted)
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        let out_of_memory = |_| DecodeError::OutOfMemory { len: bytes.len() as u64 };
        self.gathered.try_reserve(bytes.len()).map_err(out_of_memory)?;
        self.gathered.extend_from_slice(bytes);
        Ok(())
    }
}
