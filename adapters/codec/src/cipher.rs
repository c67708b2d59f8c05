//! Chunk encryption: the layer behind compression.
//!
//! Sealed bytes are a random nonce, the ciphertext, a tag of 16 bytes; nothing is authenticated beside them. So
//! a sealed chunk under another chunk's name still opens: only its digest tells.
//!
//! Source: Go desync `encrypt.go`.
//!
//! Keys are wiped when dropped, and neither shown nor part of any error.

use core::fmt;
use core::str;

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{AeadInOut, Buffer, KeyInit, Nonce};
use chacha20poly1305::XChaCha20Poly1305;
use desync_core::format::{CipherKind, KeyLabel};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Bytes of a key.
const KEY_LEN: usize = 32;

/// Bytes that prove that nothing was changed.
const TAG_LEN: usize = 16;

/// A key and what is done with it. Threads share it.
pub struct ChunkCipher {
    label: KeyLabel,
    cipher: Cipher,
}

enum Cipher {
    XChaCha20Poly1305(Box<XChaCha20Poly1305>),
    Aes256Gcm(Box<Aes256Gcm>),
}

/// Why a key cannot be used. It says nothing of what the key is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not hexadecimal digits.
    #[error("invalid encryption key, must be hexadecimal digits")]
    NotHex,
    /// Another length than the ciphers take.
    #[error("encryption key must be {KEY_LEN} bytes, got {0}")]
    Length(usize),
}

/// Why bytes cannot be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CipherError {
    /// Too short to be sealed bytes.
    #[error("no nonce prefix found in chunk, not encrypted or wrong algorithm")]
    NoNonce,
    /// Changed, cut short, or sealed with another key.
    #[error("message authentication failed: damaged, or encrypted with another key")]
    NotAuthentic,
    /// The system has no random numbers for a nonce.
    #[error("no random numbers for a nonce")]
    NoRandomness,
    /// No cipher takes this many bytes.
    #[error("chunk too long to be encrypted")]
    TooLong,
    /// The bytes were sealed, and the key is not at hand.
    #[error("encrypted, and no key is at hand")]
    NoKey,
}

impl ChunkCipher {
    /// Takes a key of 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_hex(kind: CipherKind, digits: &str) -> Result<Self, KeyError> {
        if !digits.len().is_multiple_of(2) {
            return Err(KeyError::NotHex);
        }
        let pairs = digits.as_bytes().chunks(2);
        let bytes: Option<Vec<u8>> = pairs.map(byte_of).collect();
        let key = Zeroizing::new(bytes.ok_or(KeyError::NotHex)?);
        let key: &[u8; KEY_LEN] = key[..].try_into().map_err(|_| KeyError::Length(key.len()))?;
        Ok(Self::new(kind, key))
    }

    /// Takes a key.
    #[must_use]
    pub fn new(kind: CipherKind, key: &[u8; KEY_LEN]) -> Self {
        let digest = Sha256::digest(key);
        let label = KeyLabel { cipher: kind, key_id: [digest[0], digest[1], digest[2], digest[3]] };
        let cipher = match kind {
            CipherKind::XChaCha20Poly1305 => {
                Cipher::XChaCha20Poly1305(Box::new(XChaCha20Poly1305::new(key.into())))
            }
            CipherKind::Aes256Gcm => Cipher::Aes256Gcm(Box::new(Aes256Gcm::new(key.into()))),
        };
        Self { label, cipher }
    }

    /// What tells this key from others.
    #[must_use]
    pub const fn label(&self) -> KeyLabel {
        self.label
    }

    /// Seals bytes with a new nonce.
    ///
    /// # Errors
    /// [`CipherError::NoRandomness`], [`CipherError::TooLong`].
    pub fn seal(&self, bytes: &[u8]) -> Result<Vec<u8>, CipherError> {
        let mut nonce = [0; 24];
        let nonce = &mut nonce[..self.label.cipher.nonce_len()];
        getrandom::fill(nonce).map_err(|_| CipherError::NoRandomness)?;
        self.seal_with(nonce, bytes)
    }

    fn seal_with(&self, nonce: &[u8], bytes: &[u8]) -> Result<Vec<u8>, CipherError> {
        let mut sealed = Vec::with_capacity(nonce.len() + bytes.len() + TAG_LEN);
        sealed.extend_from_slice(nonce);
        sealed.extend_from_slice(bytes);
        let mut tail = Tail { bytes: &mut sealed, start: nonce.len() };
        let done = match &self.cipher {
            Cipher::XChaCha20Poly1305(cipher) => seal_in_place(&**cipher, nonce, &mut tail),
            Cipher::Aes256Gcm(cipher) => seal_in_place(&**cipher, nonce, &mut tail),
        };
        done.map(|()| sealed).ok_or(CipherError::TooLong)
    }

    /// Opens sealed bytes.
    ///
    /// # Errors
    /// [`CipherError::NoNonce`], [`CipherError::NotAuthentic`].
    pub fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, CipherError> {
        let nonce_len = self.label.cipher.nonce_len();
        let (nonce, sealed) = sealed.split_at_checked(nonce_len).ok_or(CipherError::NoNonce)?;
        let mut bytes = sealed.to_vec();
        let mut tail = Tail { bytes: &mut bytes, start: 0 };
        let done = match &self.cipher {
            Cipher::XChaCha20Poly1305(cipher) => open_in_place(&**cipher, nonce, &mut tail),
            Cipher::Aes256Gcm(cipher) => open_in_place(&**cipher, nonce, &mut tail),
        };
        done.map(|()| bytes).ok_or(CipherError::NotAuthentic)
    }
}

/// How many bytes sealing adds.
#[must_use]
pub const fn sealing_adds(kind: CipherKind) -> usize {
    kind.nonce_len() + TAG_LEN
}

fn seal_in_place<C: AeadInOut>(cipher: &C, nonce: &[u8], bytes: &mut Tail<'_>) -> Option<()> {
    cipher.encrypt_in_place(<&Nonce<C>>::try_from(nonce).ok()?, &[], bytes).ok()
}

fn open_in_place<C: AeadInOut>(cipher: &C, nonce: &[u8], bytes: &mut Tail<'_>) -> Option<()> {
    cipher.decrypt_in_place(<&Nonce<C>>::try_from(nonce).ok()?, &[], bytes).ok()
}

/// The end of a vector, as a buffer of its own.
struct Tail<'v> {
    bytes: &'v mut Vec<u8>,
    start: usize,
}

impl AsRef<[u8]> for Tail<'_> {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

impl AsMut<[u8]> for Tail<'_> {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }
}

impl Buffer for Tail<'_> {
    fn extend_from_slice(&mut self, more: &[u8]) -> aes_gcm::aead::Result<()> {
        self.bytes.extend_from_slice(more);
        Ok(())
    }

    fn truncate(&mut self, len: usize) {
        self.bytes.truncate(self.start + len);
    }
}

/// The byte that two digits spell.
fn byte_of(digits: &[u8]) -> Option<u8> {
    let text = str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'))?;
    u8::from_str_radix(text, 16).ok()
}

impl fmt::Debug for ChunkCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChunkCipher({})", self.label)
    }
}

#[cfg(test)]
mod tests;
