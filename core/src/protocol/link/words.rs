//! Questions and answers as the content of frames. The layout stands in the opening of [`super`].

use super::crc::Crc32;
use crate::digest::{CHUNK_ID_LEN, ChunkId};
use crate::format::StorageForm;

/// The version of this language; both sides must speak the same.
pub const LINK_VERSION: u8 = 1;

/// Bytes of an answer's content besides the data of its piece.
pub const DATA_OVERHEAD: usize = 5 + 1 + 8 + 8;

/// Longest content of a question.
pub(super) const ASK_LEN_MAX: usize = 4 + CHUNK_ID_LEN + 4 + 2 + 1;

/// What a device asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Ask {
    /// Which index is served here?
    Open,
    /// Bytes of the index.
    Index {
        /// The first byte.
        offset: u64,
        /// How many at most.
        len: u16,
    },
    /// Bytes of a stored chunk.
    Chunk {
        /// Its name.
        id: ChunkId,
        /// The first byte.
        offset: u32,
        /// How many at most.
        len: u16,
        /// The largest zstd window that the device can decode with, as a power of two; 0 if it cannot decode.
        window_log: u8,
    },
    /// The device needs no more.
    Close {
        /// 0 if it has all it wanted, else a number of its own.
        status: u8,
    },
}

/// A question as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Question {
    /// What is asked for.
    pub ask: Ask,
    /// Counts questions, so that equal ones differ.
    pub number: u16,
    /// Counts how often this one was asked before.
    pub attempt: u8,
}

/// What a host answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Answer<'a> {
    /// This index is served here.
    Opened {
        /// The version the host speaks.
        version: u8,
        /// Its length in bytes.
        index_len: u64,
        /// The SHA-512/256 digest of its bytes: proves them once they are there, and tells after a restart
        /// whether it is still the same.
        index_id: ChunkId,
    },
    /// Bytes of the index or of a chunk.
    Piece {
        /// The form of the whole that they belong to.
        form: StorageForm,
        /// Where they lie in it.
        offset: u64,
        /// Length of the whole.
        total: u64,
        /// The bytes, fewer than asked for only at the end of the whole.
        data: &'a [u8],
    },
    /// There is no such chunk.
    Missing,
    /// The host cannot say just now: its store has failed.
    Failed,
    /// The device may go.
    Closed,
}

impl Question {
    /// What an answer to this question carries: a checksum over all but attempt and length, so that a late
    /// answer fits the question asked again.
    pub(super) fn tag(&self) -> u32 {
        let mut asked_first = Self { attempt: 0, ..*self };
        if let Ask::Index { len, .. } | Ask::Chunk { len, .. } = &mut asked_first.ask {
            *len = 0;
        }
        let (content, len) = asked_first.encode();
        let mut crc = Crc32::new();
        crc.update(&content[..len]);
        crc.finish()
    }

    /// The content of its frame, and how long it is.
    pub(super) fn encode(&self) -> ([u8; ASK_LEN_MAX], usize) {
        let mut out = Fields::<ASK_LEN_MAX> { bytes: [0; ASK_LEN_MAX], len: 0 };
        let kind = match self.ask {
            Ask::Open => 0x01,
            Ask::Index { .. } => 0x02,
            Ask::Chunk { .. } => 0x03,
            Ask::Close { .. } => 0x04,
        };
        out.put(&[kind, self.attempt]);
        out.put(&self.number.to_le_bytes());
        match &self.ask {
            Ask::Open => out.put(&[LINK_VERSION]),
            Ask::Index { offset, len } => {
                out.put(&offset.to_le_bytes());
                out.put(&len.to_le_bytes());
            }
            Ask::Chunk { id, offset, len, window_log } => {
                out.put(id.as_bytes());
                out.put(&offset.to_le_bytes());
                out.put(&len.to_le_bytes());
                out.put(&[*window_log]);
            }
            Ask::Close { status } => out.put(&[*status]),
        }
        (out.bytes, out.len)
    }

    /// Reads the content of a frame; `None` if it is no question of this version.
    #[must_use]
    pub fn parse(mut content: &[u8]) -> Option<Self> {
        let [kind, attempt] = take(&mut content)?;
        let number = u16::from_le_bytes(take(&mut content)?);
        let ask = match kind {
            0x01 => {
                let [version] = take(&mut content)?;
                (version == LINK_VERSION).then_some(Ask::Open)?
            }
            0x02 => Ask::Index {
                offset: u64::from_le_bytes(take(&mut content)?),
                len: u16::from_le_bytes(take(&mut content)?),
            },
            0x03 => Ask::Chunk {
                id: ChunkId(take(&mut content)?),
                offset: u32::from_le_bytes(take(&mut content)?),
                len: u16::from_le_bytes(take(&mut content)?),
                window_log: u8::from_le_bytes(take(&mut content)?),
            },
            0x04 => {
                let [status] = take(&mut content)?;
                Ask::Close { status }
            }
            _ => return None,
        };
        content.is_empty().then_some(Self { ask, number, attempt })
    }
}

/// The head of an answer's content, and how long it is; the data of a piece comes behind it.
pub(super) fn answer_head(tag: u32, answer: &Answer<'_>) -> ([u8; ANSWER_HEAD_MAX], usize) {
    let mut out = Fields { bytes: [0; ANSWER_HEAD_MAX], len: 0 };
    let kind = match answer {
        Answer::Opened { .. } => 0x81,
        Answer::Piece { .. } => 0x82,
        Answer::Missing => 0x83,
        Answer::Failed => 0x84,
        Answer::Closed => 0x85,
    };
    out.put(&[kind]);
    out.put(&tag.to_le_bytes());
    match answer {
        Answer::Opened { version, index_len, index_id } => {
            out.put(&[*version]);
            out.put(&index_len.to_le_bytes());
            out.put(index_id.as_bytes());
        }
        Answer::Piece { form, offset, total, .. } => {
            out.put(&[u8::from(*form == StorageForm::Compressed)]);
            out.put(&offset.to_le_bytes());
            out.put(&total.to_le_bytes());
        }
        Answer::Missing | Answer::Failed | Answer::Closed => {}
    }
    (out.bytes, out.len)
}

/// Longest content of an answer without data.
pub(super) const ANSWER_HEAD_MAX: usize = 5 + 1 + 8 + CHUNK_ID_LEN;

/// Reads the content of a frame: the tag of the question and the answer; `None` if it is no answer.
pub(super) fn parse_answer(mut content: &[u8]) -> Option<(u32, Answer<'_>)> {
    let [kind] = take(&mut content)?;
    let tag = u32::from_le_bytes(take(&mut content)?);
    let answer = match kind {
        0x81 => {
            let [version] = take(&mut content)?;
            let index_len = u64::from_le_bytes(take(&mut content)?);
            Answer::Opened { version, index_len, index_id: ChunkId(take(&mut content)?) }
        }
        0x82 => {
            let form = match take(&mut content)? {
                [0] => StorageForm::Plain,
                [1] => StorageForm::Compressed,
                _ => return None,
            };
            let offset = u64::from_le_bytes(take(&mut content)?);
            let total = u64::from_le_bytes(take(&mut content)?);
            Answer::Piece { form, offset, total, data: core::mem::take(&mut content) }
        }
        0x83 => Answer::Missing,
        0x84 => Answer::Failed,
        0x85 => Answer::Closed,
        _ => return None,
    };
    content.is_empty().then_some((tag, answer))
}

/// Bytes that are put one behind the other. `N` is the length of the longest layout.
struct Fields<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Fields<N> {
    fn put(&mut self, field: &[u8]) {
        self.bytes[self.len..self.len + field.len()].copy_from_slice(field);
        self.len += field.len();
    }
}

fn take<const N: usize>(content: &mut &[u8]) -> Option<[u8; N]> {
    let (field, rest) = content.split_first_chunk()?;
    *content = rest;
    Some(*field)
}
