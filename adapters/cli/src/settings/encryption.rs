//! What a store's options or a server's flags say about encryption, made a cipher.
//!
//! The messages are Go desync's. None holds a key.

use std::env;

use desync_config::StoreOptions;
use desync_core::format::CipherKind;
use desync_store::{ChunkCipher, KeyError};

/// Where the key is when no option has it.
const KEY_VARIABLE: &str = "DESYNC_ENCRYPTION_KEY";

/// What is said; what is not said is empty.
#[derive(Clone, Copy)]
pub(crate) struct Encryption<'o> {
    pub(crate) on: bool,
    pub(crate) key: &'o str,
    pub(crate) algorithm: &'o str,
}

/// Why what is said makes no cipher.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EncryptionError {
    #[error("encryption-key or encryption-algorithm configured without setting encryption to true")]
    NotOn,
    #[error("no encryption key configured")]
    NoKey,
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("unsupported encryption algorithm \"{0}\"")]
    Algorithm(String),
}

impl<'o> Encryption<'o> {
    /// What a store's options say.
    pub(crate) fn of(options: &'o StoreOptions) -> Self {
        Self {
            on: options.encryption.unwrap_or(false),
            key: options.encryption_key.as_deref().unwrap_or_default(),
            algorithm: options.encryption_algorithm.as_deref().unwrap_or_default(),
        }
    }

    /// Whether anything is said at all.
    pub(crate) const fn is_mentioned(&self) -> bool {
        self.on || !self.key.is_empty() || !self.algorithm.is_empty()
    }

    /// The cipher; none if encryption is off.
    ///
    /// # Errors
    /// Half a setting, no key in it or in the environment, or one that is none.
    pub(crate) fn cipher(&self) -> Result<Option<ChunkCipher>, EncryptionError> {
        self.cipher_with(|| env::var(KEY_VARIABLE).ok())
    }

    fn cipher_with(
        &self,
        environment: impl FnOnce() -> Option<String>,
    ) -> Result<Option<ChunkCipher>, EncryptionError> {
        if !self.on {
            return if self.is_mentioned() { Err(EncryptionError::NotOn) } else { Ok(None) };
        }
        let key = if self.key.is_empty() { environment().unwrap_or_default() } else { self.key.to_owned() };
        if key.is_empty() {
            return Err(EncryptionError::NoKey);
        }
        let kind = match self.algorithm {
            "" => CipherKind::default(),
            name => name.parse().map_err(|_| EncryptionError::Algorithm(name.to_owned()))?,
        };
        Ok(Some(ChunkCipher::from_hex(kind, &key)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "6368616e676520746869732070617373776f726420746f206120736563726574";

    fn label(on: bool, key: &str, algorithm: &str, environment: &str) -> Result<String, String> {
        let said = Encryption { on, key, algorithm };
        let cipher = said.cipher_with(|| Some(environment.to_owned())).map_err(|error| error.to_string())?;
        Ok(cipher.map_or("none".to_owned(), |cipher| cipher.label().to_string()))
    }

    #[test]
    fn a_cipher_is_made_of_what_is_said() {
        for (on, key, algorithm, environment, made) in [
            (false, "", "", KEY, "none"),
            (true, KEY, "", "", "xchacha20-poly1305-50d64035"),
            (true, "", "aes-256-gcm", KEY, "aes-256-gcm-50d64035"),
            (true, KEY, "xchacha20-poly1305", "not looked at", "xchacha20-poly1305-50d64035"),
        ] {
            assert_eq!(label(on, key, algorithm, environment).unwrap(), made);
        }
    }

    #[test]
    fn what_makes_no_cipher_is_told_in_go_desyncs_words() {
        let half = "encryption-key or encryption-algorithm configured without setting encryption to true";
        for (on, key, algorithm, message) in [
            (false, KEY, "", half),
            (false, "", "aes-256-gcm", half),
            (true, "", "", "no encryption key configured"),
            (true, "00", "", "encryption key must be 32 bytes, got 1"),
            (true, KEY, "rot13", "unsupported encryption algorithm \"rot13\""),
        ] {
            assert_eq!(label(on, key, algorithm, "").unwrap_err(), message);
        }
        assert!(label(true, "hunter2", "", "").unwrap_err().starts_with("invalid encryption key"));
        assert!(!label(true, "hunter2", "", "").unwrap_err().contains("hunter2"));
    }

    #[test]
    fn any_word_about_encryption_is_noticed() {
        let nothing = StoreOptions { encryption: Some(false), ..StoreOptions::default() };
        assert!(!Encryption::of(&nothing).is_mentioned());
        for options in [
            StoreOptions { encryption: Some(true), ..nothing.clone() },
            StoreOptions { encryption_key: Some("00".into()), ..nothing.clone() },
            StoreOptions { encryption_algorithm: Some("x".into()), ..nothing.clone() },
        ] {
            assert!(Encryption::of(&options).is_mentioned());
        }
    }
}
