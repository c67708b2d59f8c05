//! The header of the index that `make` writes.
//!
//! A blob index carries only the digest's flag. If the blob is itself a catar archive, its index carries the
//! archive's feature flags: casync's decoder insists that they are equal.

use desync_core::DigestKind;
use desync_core::format::catar::leading_features;
use desync_core::format::{FeatureFlags, IndexHeader};

use super::MakeOptions;
use super::blocks::Planned;
use crate::Error;

/// The header for a blob that begins with `first`, which is read if it is not zeros.
pub(super) fn header(first: Option<&Planned>, options: &MakeOptions) -> Result<IndexHeader, Error> {
    let flags = match first {
        Some(Planned::Read(block)) => archive_flags(block.fresh()),
        _ => None,
    };
    let flags = match flags {
        Some(flags) if flags.digest() != options.digest => return Err(other_digest(options.digest)),
        Some(flags) => flags,
        None => FeatureFlags::desync_blob(options.digest),
    };
    Ok(IndexHeader { flags, sizes: options.sizes })
}

/// The feature flags of a catar archive, if that is what these bytes begin.
fn archive_flags(bytes: &[u8]) -> Option<FeatureFlags> {
    leading_features(bytes).filter(|flags| flags.check_strict().is_ok())
}

fn other_digest(digest: DigestKind) -> Error {
    Error::Unsupported(format!(
        "the input is a catar archive whose flags name another digest than {digest}: \
         no program could use its index; give the archive's digest with --digest"
    ))
}
