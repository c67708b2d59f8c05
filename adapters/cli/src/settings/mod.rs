//! The second layer of arguments: what was typed, checked and given its meaning.
//!
//! Args say what is present; settings are values that commands can use without looking at a flag again.
//! A violation is a [`UsageError`], and the exit code is 2. Nothing is opened here, but for looking at what a
//! path names where the meaning of an argument depends on it.

mod chunk_sizes;
#[cfg(feature = "fuse")]
mod copy_on_read;
#[cfg(feature = "serve-link")]
mod device;
mod encryption;
#[cfg(feature = "trees")]
mod features;
pub(crate) mod kernels;
pub(crate) mod location;
pub(crate) mod notation;
mod profile;
mod seeds;
#[cfg(feature = "server")]
mod server;
#[cfg(any(feature = "fuse", feature = "server"))]
mod source;
mod stores;

pub(crate) use chunk_sizes::{cut_rule, sizes};
#[cfg(feature = "fuse")]
pub(crate) use copy_on_read::CopyOnReadSetting;
#[cfg(feature = "serve-link")]
pub(crate) use device::DeviceLine;
pub(crate) use encryption::{Encryption, EncryptionError};
#[cfg(feature = "trees")]
pub(crate) use features::features;
pub(crate) use location::{Location, Scheme};
pub(crate) use profile::Profile;
#[cfg(feature = "trees")]
pub(crate) use seeds::of_archives as archive_seeds;
pub(crate) use seeds::{SeedSetting, in_directories as seeds_in_directories, named as named_seeds};
#[cfg(feature = "server")]
pub(crate) use server::{ListenAddress, ServerSetting};
#[cfg(any(feature = "fuse", feature = "server"))]
pub(crate) use source::{SourceLocations, SourceSetting};
pub(crate) use stores::{at_least_one, list, one_location, optional_location, overrides, workers};

use desync_core::DigestKind;

/// The command was used wrongly: exit code 2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(String);

impl UsageError {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// The digest that was insisted upon; the empty word is the default's.
///
/// # Errors
/// Any other word.
pub(crate) fn digest(word: Option<&str>) -> Result<Option<DigestKind>, UsageError> {
    match word {
        None => Ok(None),
        Some("" | "sha512-256") => Ok(Some(DigestKind::Sha512_256)),
        Some("sha256") => Ok(Some(DigestKind::Sha256)),
        Some(other) => Err(UsageError::new(format!("invalid digest algorithm '{other}'"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_two_words() {
        assert_eq!(digest(None), Ok(None));
        assert_eq!(digest(Some("")), Ok(Some(DigestKind::Sha512_256)));
        assert_eq!(digest(Some("sha256")), Ok(Some(DigestKind::Sha256)));
        assert_eq!(digest(Some("md5")).unwrap_err().to_string(), "invalid digest algorithm 'md5'");
    }
}
