//! The header of the index that `make` writes.
//!
//! A blob index carries only the digest's flag. If the blob is itself a catar archive, its index carries the
//! archive's feature flags: casync's decoder insists that they are equal.

use desync_core::DigestKind;
use desync_core::format::{FeatureFlags, IndexHeader};

use super::MakeOptions;
use super::blocks::Stretch;
use crate::Error;

/// First two words of every catar archive: the size and the type of its root's ENTRY record.
///
/// Source: casync `caformat.h`, `CA_FORMAT_ENTRY`.
const CATAR_ENTRY: [u64; 2] = [64, 0x1396_fabc_ea5b_bb51];

/// The header for a blob that begins with `first`.
pub(super) fn header(first: Option<&Stretch>, options: &MakeOptions) -> Result<IndexHeader, Error> {
    let flags = match first {
        Some(Stretch::Data(block)) => archive_flags(block.fresh()),
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
    let word = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    if [word(0)?, word(8)?] != CATAR_ENTRY {
        return None;
    }
    let flags = FeatureFlags::from_bits_retain(word(16)?);
    flags.check_strict().is_ok().then_some(flags)
}

fn other_digest(digest: DigestKind) -> Error {
    Error::Unsupported(format!(
        "the input is a catar archive whose flags name another digest than {digest}: \
         no program could use its index; give the archive's digest with --digest"
    ))
}
