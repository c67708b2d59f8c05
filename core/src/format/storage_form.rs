//! In which form a store keeps the bytes of a chunk, and the extension that says so.
//!
//! A form is layers put on in order: compression, then encryption. Each adds to the extension. What a layer
//! does to the bytes is not known here.
//!
//! Source: Go desync `converter.go` and `encrypt.go`.

use core::fmt::{self, Write as _};
use core::str::FromStr;

/// What is appended to the 64 digits of a chunk's name, on the stack. The longest,
/// `.cacnk.xchacha20-poly1305-01234567`, has 34 bytes.
pub type Extension = heapless::String<40>;

/// In which form a store keeps the bytes of its chunks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum StorageForm {
    /// Compressed, one zstd frame: extension `.cacnk`.
    #[default]
    Compressed,
    /// As they are: no extension.
    Plain,
    /// Encrypted: extension `.cacnk.<cipher>-<key id>`, or without `.cacnk` if not compressed before.
    Encrypted {
        /// Whether the bytes were compressed before.
        compressed: bool,
        /// With what.
        key: KeyLabel,
    },
}

/// Tells keys apart without giving them away: chunks of different keys or ciphers do not see each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct KeyLabel {
    /// The cipher the key is used with.
    pub cipher: CipherKind,
    /// The first 4 bytes of the key's SHA-256.
    pub key_id: [u8; 4],
}

/// An authenticated cipher.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum CipherKind {
    /// XChaCha20-Poly1305: nonces of 24 bytes, so random ones never meet.
    #[default]
    XChaCha20Poly1305,
    /// AES-256-GCM: nonces of 12 bytes, so not for more than about 2^32 chunks with one key.
    Aes256Gcm,
}

impl CipherKind {
    const ALL: [Self; 2] = [Self::XChaCha20Poly1305, Self::Aes256Gcm];

    /// Its name in extensions and in settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::XChaCha20Poly1305 => "xchacha20-poly1305",
            Self::Aes256Gcm => "aes-256-gcm",
        }
    }

    /// Bytes of a nonce.
    #[must_use]
    pub const fn nonce_len(self) -> usize {
        match self {
            Self::XChaCha20Poly1305 => 24,
            Self::Aes256Gcm => 12,
        }
    }
}

/// No cipher has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unsupported encryption algorithm")]
pub struct UnknownCipher;

impl FromStr for CipherKind {
    type Err = UnknownCipher;
    fn from_str(name: &str) -> Result<Self, UnknownCipher> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or(UnknownCipher)
    }
}

impl fmt::Display for KeyLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-", self.cipher.name())?;
        self.key_id.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl StorageForm {
    /// This form with another layer on top: encrypted. A form that is encrypted already gets the other key.
    #[must_use]
    pub const fn encrypted(self, key: KeyLabel) -> Self {
        Self::Encrypted { compressed: self.is_compressed(), key }
    }

    /// This form before it was encrypted.
    #[must_use]
    pub const fn decrypted(self) -> Self {
        if self.is_compressed() { Self::Compressed } else { Self::Plain }
    }

    /// Whether the innermost layer is compression.
    #[must_use]
    pub const fn is_compressed(self) -> bool {
        matches!(self, Self::Compressed | Self::Encrypted { compressed: true, .. })
    }

    /// What it was encrypted with, if it is.
    #[must_use]
    pub const fn key(self) -> Option<KeyLabel> {
        match self {
            Self::Encrypted { key, .. } => Some(key),
            _ => None,
        }
    }

    /// What is appended to the 64 digits.
    #[must_use]
    pub fn extension(self) -> Extension {
        let mut extension = Extension::new();
        // 34 bytes at most fit the capacity of 40.
        if self.is_compressed() {
            let _ = extension.push_str(".cacnk");
        }
        if let Some(key) = self.key() {
            let _ = write!(extension, ".{key}");
        }
        extension
    }

    /// The form of chunks with this extension; `None` if it is no chunk's.
    #[must_use]
    pub fn from_extension(extension: &str) -> Option<Self> {
        let (form, rest) = match extension.strip_prefix(".cacnk") {
            Some(rest) => (Self::Compressed, rest),
            None => (Self::Plain, extension),
        };
        if rest.is_empty() {
            return Some(form);
        }
        let (cipher, digits) = rest.strip_prefix('.')?.rsplit_once('-')?;
        let is_hex = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
        if digits.len() != 8 || !digits.bytes().all(is_hex) {
            return None;
        }
        let key_id = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
        Some(form.encrypted(KeyLabel { cipher: cipher.parse().ok()?, key_id }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_round_trip() {
        let key_id = [0x50, 0xd6, 0x40, 0x35];
        let aes = KeyLabel { cipher: CipherKind::Aes256Gcm, key_id };
        let xchacha = KeyLabel { cipher: CipherKind::XChaCha20Poly1305, key_id };
        for (form, extension) in [
            (StorageForm::Compressed, ".cacnk"),
            (StorageForm::Plain, ""),
            (StorageForm::Compressed.encrypted(aes), ".cacnk.aes-256-gcm-50d64035"),
            (StorageForm::Compressed.encrypted(xchacha), ".cacnk.xchacha20-poly1305-50d64035"),
            (StorageForm::Plain.encrypted(xchacha), ".xchacha20-poly1305-50d64035"),
            (StorageForm::Plain.encrypted(aes).encrypted(xchacha), ".xchacha20-poly1305-50d64035"),
        ] {
            assert_eq!(form.extension(), extension);
            assert_eq!(StorageForm::from_extension(extension), Some(form));
            assert_eq!(form.decrypted().extension(), if form.is_compressed() { ".cacnk" } else { "" });
        }
    }

    #[test]
    fn other_extensions_are_told_apart() {
        for extension in [
            ".",
            "-50d64035",
            ".cacnk.",
            ".cacnk.aes-256-gcm-",
            ".cacnk.aes-256-gcm-50D64035",
            ".cacnk.aes-256-gcm-50d6403",
            ".cacnk.aes-256-gcm-+0d64035",
            ".cacnk.aes-128-gcm-50d64035",
            ".aes-256-gcm-50d64035.cacnk",
            ".cacnk.tmp",
        ] {
            assert_eq!(StorageForm::from_extension(extension), None, "{extension}");
        }
    }
}
