//! Names of chunks: which digest, the 32-byte ID, its text form.
//!
//! [`DigestKind::id_of`] is the short obvious way and the oracle; hashing many chunks side by side is
//! [`HashKernel`]'s business.
//!
//! Invariants
//! - A [`ChunkId`] prints as exactly 64 lowercase hex digits (test: `hex_round_trip`).
//! - SHA-512/256 is the FIPS 180-4 function with its own initial values, not truncated SHA-512.

mod batch;

use core::fmt;
use core::str::FromStr;

use sha2::Digest as _;

pub use batch::{DigestManyFn, HashKernel};

/// Length of every chunk ID in bytes, whatever the digest.
pub const CHUNK_ID_LEN: usize = 32;

/// The digest that names the chunks of an index: feature flag 2⁶¹ of its header.
///
/// Source: casync `caformat.h`, `CA_FORMAT_SHA512_256`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum DigestKind {
    /// SHA-512/256, the default.
    #[default]
    Sha512_256,
    /// SHA-256.
    Sha256,
}

impl DigestKind {
    /// The ID of a chunk: the digest of its plain bytes.
    #[must_use]
    pub fn id_of(self, plain: &[u8]) -> ChunkId {
        let mut hasher = self.hasher();
        hasher.update(plain);
        hasher.finish()
    }

    /// Starts a digest over bytes that arrive in pieces.
    #[must_use]
    pub fn hasher(self) -> Hasher {
        Hasher(match self {
            Self::Sha512_256 => State::Sha512_256(sha2::Sha512_256::new()),
            Self::Sha256 => State::Sha256(sha2::Sha256::new()),
        })
    }

    /// The name used on command lines and in JSON: `sha512-256` or `sha256`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha512_256 => "sha512-256",
            Self::Sha256 => "sha256",
        }
    }
}

impl fmt::Display for DigestKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A digest in progress; made by [`DigestKind::hasher`].
#[derive(Clone, Debug)]
pub struct Hasher(State);

#[derive(Clone, Debug)]
enum State {
    Sha512_256(sha2::Sha512_256),
    Sha256(sha2::Sha256),
}

impl Hasher {
    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha512_256(h) => h.update(bytes),
            State::Sha256(h) => h.update(bytes),
        }
    }

    /// The ID of everything added.
    #[must_use]
    pub fn finish(self) -> ChunkId {
        ChunkId(match self.0 {
            State::Sha512_256(h) => h.finalize().into(),
            State::Sha256(h) => h.finalize().into(),
        })
    }
}

/// The name of a chunk: the digest of its plain bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ChunkId(pub [u8; CHUNK_ID_LEN]);

/// A chunk ID as 64 hex digits, on the stack.
pub type ChunkIdText = heapless::String<{ 2 * CHUNK_ID_LEN }>;

impl ChunkId {
    /// The raw digest.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; CHUNK_ID_LEN] {
        &self.0
    }

    /// 64 lowercase hex digits, as file names and text output use them.
    #[must_use]
    pub fn to_hex(&self) -> ChunkIdText {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = ChunkIdText::new();
        for byte in self.0 {
            for nibble in [byte >> 4, byte & 0xf] {
                // The capacity is exactly two digits for each byte, so a push cannot fail.
                let _ = text.push(char::from(DIGITS[usize::from(nibble)]));
            }
        }
        text
    }
}

/// Text that is not a chunk ID: not exactly 64 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a chunk id has exactly 64 hex digits")]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ParseIdError;

impl FromStr for ChunkId {
    type Err = ParseIdError;

    /// Reads 64 hex digits; upper case is accepted, as Go desync does.
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let digits = text.as_bytes();
        if digits.len() != 2 * CHUNK_ID_LEN {
            return Err(ParseIdError);
        }
        let mut id = [0; CHUNK_ID_LEN];
        for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = hex_value(pair[0]).ok_or(ParseIdError)? << 4 | hex_value(pair[1]).ok_or(ParseIdError)?;
        }
        Ok(Self(id))
    }
}

const fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

impl fmt::Display for ChunkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_hex())
    }
}

impl fmt::Debug for ChunkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_digests_of_262144_zeros() {
        let zeros = alloc::vec![0; 262_144];
        let name = |kind: DigestKind| kind.id_of(&zeros).to_hex();
        assert_eq!(
            name(DigestKind::Sha512_256),
            "1c8109946feed9f9e9fe4b5144d90f05a50fb3275e848cb72f4b9546d8c533f2"
        );
        assert_eq!(
            name(DigestKind::Sha256),
            "8a39d2abd3999ab73c34db2476849cddf303ce389b35826850f9a700589b4a90"
        );
    }

    #[test]
    fn hex_round_trip() {
        let id = DigestKind::Sha256.id_of(b"a");
        assert_eq!(id.to_hex().parse(), Ok(id));
        assert_eq!(id.to_hex().to_ascii_uppercase().parse(), Ok(id));
        assert_eq!("".parse::<ChunkId>(), Err(ParseIdError));
        assert_eq!("zz".repeat(32).parse::<ChunkId>(), Err(ParseIdError));
        assert_eq!("é".repeat(32).parse::<ChunkId>(), Err(ParseIdError));
    }
}
