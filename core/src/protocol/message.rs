//! The messages: their type words, their layout, and how they are written.
//!
//! Invariant: what is encoded within the limit is decoded to the same message (test:
//! `any_messages_come_back_in_any_split`).

use alloc::vec::Vec;
use core::fmt;

use super::error::ProtocolError;
use super::services::Services;
use crate::digest::{CHUNK_ID_LEN, ChunkId};
use crate::format::StorageForm;
use crate::limits::Limits;

/// Bytes before the body of every message: size and type.
pub const HEAD_LEN: usize = 16;

/// A type of message.
///
/// Source of the type words: casync `caprotocol.h`, `CA_PROTOCOL_HELLO` and following.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u64)]
pub enum Kind {
    /// First message of either side: what it offers and wants.
    Hello = 0x3c71_d094_8ca5_fbee,
    /// The next piece of an index.
    Index = 0xb32a_91dd_2b3e_27f8,
    /// The index is complete.
    IndexEof = 0x4f09_32f1_0437_18f5,
    /// The next piece of an archive.
    Archive = 0x95d6_428a_69ed_dcc5,
    /// The archive is complete.
    ArchiveEof = 0x450b_ef66_3f24_cbad,
    /// IDs of chunks that are wanted.
    Request = 0x8ab4_27e0_f89d_9210,
    /// A chunk.
    Chunk = 0x5213_dd18_0a84_bc8c,
    /// A wanted chunk is not there.
    Missing = 0xd010_f9fa_c82b_7b6c,
    /// The end, in peace.
    Goodbye = 0xad20_5dbf_1a36_86c3,
    /// The end, with an error.
    Abort = 0xe7d9_136b_7efe_a352,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Hello,
        Self::Index,
        Self::IndexEof,
        Self::Archive,
        Self::ArchiveEof,
        Self::Request,
        Self::Chunk,
        Self::Missing,
        Self::Goodbye,
        Self::Abort,
    ];

    pub(super) fn from_word(word: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u64 == word)
    }

    /// Bytes after the head that every message of this kind has, before those that come in any number.
    pub(super) const fn fixed_len(self) -> usize {
        match self {
            Self::Hello | Self::Request | Self::Abort => 8,
            Self::Chunk => 8 + CHUNK_ID_LEN,
            Self::Missing => CHUNK_ID_LEN,
            Self::Index | Self::IndexEof | Self::Archive | Self::ArchiveEof | Self::Goodbye => 0,
        }
    }

    /// Whether a message of this kind can have so many bytes after the fixed ones.
    pub(super) const fn admits_rest(self, len: u64) -> bool {
        match self {
            Self::Request => len > 0 && len.is_multiple_of(CHUNK_ID_LEN as u64),
            Self::Index | Self::Archive | Self::Chunk | Self::Abort => len > 0,
            Self::Hello | Self::IndexEof | Self::ArchiveEof | Self::Missing | Self::Goodbye => len == 0,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hello => "hello",
            Self::Index => "index",
            Self::IndexEof => "index-eof",
            Self::Archive => "archive",
            Self::ArchiveEof => "archive-eof",
            Self::Request => "request",
            Self::Chunk => "chunk",
            Self::Missing => "missing",
            Self::Goodbye => "goodbye",
            Self::Abort => "abort",
        })
    }
}

/// How urgent a request is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Priority {
    /// In order of arrival.
    #[default]
    Low,
    /// Before all that is not urgent.
    High,
}

/// A whole message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// First message of either side.
    Hello(Services),
    /// The next piece of an index, not empty.
    Index(&'a [u8]),
    /// The index is complete.
    IndexEof,
    /// The next piece of an archive, not empty.
    Archive(&'a [u8]),
    /// The archive is complete.
    ArchiveEof,
    /// Chunks are wanted.
    Request {
        /// How urgently.
        priority: Priority,
        /// Which; at least one.
        ids: &'a [ChunkId],
    },
    /// A chunk, in the form a store may keep it in.
    Chunk {
        /// The form of `data`.
        form: StorageForm,
        /// Its name, not verified.
        id: ChunkId,
        /// Its stored bytes, not empty.
        data: &'a [u8],
    },
    /// A wanted chunk is not there.
    Missing(ChunkId),
    /// The end, in peace.
    Goodbye,
    /// The end, with an error.
    Abort {
        /// An error number of the sender's system; 0 if it has none.
        code: u32,
        /// What went wrong, without its NUL and without control characters below 0x20. May be no UTF-8.
        reason: &'a [u8],
    },
}

/// CHUNK flag: the data is compressed.
pub(super) const CHUNK_COMPRESSED: u64 = 1;
/// REQUEST flag: before the others.
pub(super) const REQUEST_HIGH_PRIORITY: u64 = 1;
/// The largest code of an ABORT.
pub(super) const ABORT_CODE_MAX: u64 = i32::MAX as u64 - 1;

impl Message<'_> {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Hello(_) => Kind::Hello,
            Self::Index(_) => Kind::Index,
            Self::IndexEof => Kind::IndexEof,
            Self::Archive(_) => Kind::Archive,
            Self::ArchiveEof => Kind::ArchiveEof,
            Self::Request { .. } => Kind::Request,
            Self::Chunk { .. } => Kind::Chunk,
            Self::Missing(_) => Kind::Missing,
            Self::Goodbye => Kind::Goodbye,
            Self::Abort { .. } => Kind::Abort,
        }
    }

    /// Bytes of the encoded message, head included.
    #[must_use]
    pub const fn encoded_len(&self) -> u64 {
        let rest = match self {
            Self::Index(data) | Self::Archive(data) | Self::Chunk { data, .. } => data.len(),
            Self::Request { ids, .. } => ids.len() * CHUNK_ID_LEN,
            Self::Abort { reason, .. } => reason.len() + 1,
            Self::Hello(_) | Self::IndexEof | Self::ArchiveEof | Self::Missing(_) | Self::Goodbye => 0,
        };
        (HEAD_LEN + self.kind().fixed_len() + rest) as u64
    }

    /// Appends the bytes of the message.
    ///
    /// # Errors
    /// What a reader with these limits would say of them; nothing is appended then.
    pub fn encode(&self, limits: &Limits, out: &mut Vec<u8>) -> Result<(), ProtocolError> {
        self.check(limits)?;
        out.extend(self.encoded_len().to_le_bytes());
        out.extend((self.kind() as u64).to_le_bytes());
        match self {
            Self::Hello(services) => out.extend(services.bits().to_le_bytes()),
            Self::Index(data) | Self::Archive(data) => out.extend(*data),
            Self::Request { priority, ids } => {
                let flags = if *priority == Priority::High { REQUEST_HIGH_PRIORITY } else { 0 };
                out.extend(flags.to_le_bytes());
                ids.iter().for_each(|id| out.extend(id.as_bytes()));
            }
            Self::Chunk { form, id, data } => {
                let flags = if *form == StorageForm::Compressed { CHUNK_COMPRESSED } else { 0 };
                out.extend(flags.to_le_bytes());
                out.extend(id.as_bytes());
                out.extend(*data);
            }
            Self::Missing(id) => out.extend(id.as_bytes()),
            Self::Abort { code, reason } => {
                out.extend(u64::from(*code).to_le_bytes());
                out.extend(*reason);
                out.push(0);
            }
            Self::IndexEof | Self::ArchiveEof | Self::Goodbye => {}
        }
        Ok(())
    }

    fn check(&self, limits: &Limits) -> Result<(), ProtocolError> {
        let (kind, len, limit) = (self.kind(), self.encoded_len(), limits.message_len_max);
        if len > limit {
            return Err(ProtocolError::TooLong { offset: 0, len, limit });
        }
        if !kind.admits_rest(len - (HEAD_LEN + kind.fixed_len()) as u64) {
            return Err(ProtocolError::WrongLength { offset: 0, kind, len });
        }
        match self {
            Self::Hello(services) => services.check().map_err(ProtocolError::Services),
            Self::Abort { code, .. } if u64::from(*code) > ABORT_CODE_MAX => {
                Err(ProtocolError::AbortCode { offset: 0, code: u64::from(*code) })
            }
            Self::Abort { reason, .. } if reason.iter().any(|byte| *byte < 0x20) => {
                Err(ProtocolError::AbortReason { offset: 0 })
            }
            _ => Ok(()),
        }
    }
}
