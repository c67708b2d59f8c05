//! Names in a chunk directory.
//!
//! Source: casync `castore.c`; prefix of temporary files from Go desync `local.go` (`.tmp-cacnk`).

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use desync_core::ChunkId;
use desync_core::format::StorageForm;

/// What the name of every temporary file begins with.
pub(crate) const TEMPORARY_PREFIX: &str = ".tmp-cacnk.";
/// What names of leftovers begin with, whoever left them.
const LEFTOVER_PREFIX: &[u8] = b".tmp-cacnk";

/// Where a chunk lies.
pub(crate) fn chunk_path(directory: &Path, id: &ChunkId, form: StorageForm) -> PathBuf {
    directory.join(form.path_of(id).as_str())
}

/// Whether this is the name of a directory that chunks lie in: four lowercase hex digits.
pub(crate) fn is_prefix(name: &OsStr) -> bool {
    name.len() == 4 && is_lowercase_hex(name.as_encoded_bytes())
}

/// The chunk that a file name means in this form, in lowercase as every writer makes it.
pub(crate) fn chunk_of(name: &OsStr, form: StorageForm) -> Option<ChunkId> {
    any_case_chunk_of(name, form).filter(|id| name.as_encoded_bytes().starts_with(id.to_hex().as_bytes()))
}

/// The chunk that a file name seems to mean in this form, whatever the case of its digits.
pub(crate) fn any_case_chunk_of(name: &OsStr, form: StorageForm) -> Option<ChunkId> {
    name.to_str()?.strip_suffix(form.extension().as_str())?.parse().ok()
}

/// Whether a file of this name was left by a writer that died, or belongs to one that lives.
pub(crate) fn is_temporary(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(LEFTOVER_PREFIX)
}

fn is_lowercase_hex(digits: &[u8]) -> bool {
    digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use desync_core::DigestKind;

    #[test]
    fn only_exact_lowercase_names_are_chunks() {
        let id = DigestKind::Sha512_256.id_of(b"x");
        let hex = id.to_hex();
        let parse = |name: &str, form| chunk_of(OsStr::new(name), form);
        assert_eq!(parse(&hex, StorageForm::Plain), Some(id));
        assert_eq!(parse(&format!("{hex}.cacnk"), StorageForm::Compressed), Some(id));
        assert_eq!(parse(&hex, StorageForm::Compressed), None);
        assert_eq!(parse(&format!("{hex}.cacnk"), StorageForm::Plain), None);
        assert_eq!(parse(&hex.to_uppercase(), StorageForm::Plain), None);
        assert_eq!(parse(&format!("{hex}.cacnk.aes-256-gcm-00000000"), StorageForm::Compressed), None);
        assert_eq!(any_case_chunk_of(OsStr::new(&hex.to_uppercase()), StorageForm::Plain), Some(id));
        for (name, prefix) in
            [("00af", true), ("00AF", false), ("00a", false), ("00afe", false), ("00ag", false)]
        {
            assert_eq!(is_prefix(OsStr::new(name)), prefix, "{name}");
        }
    }
}
