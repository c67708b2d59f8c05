//! What a chunk is called in a store: `<4 hex>/<64 hex><extension>`.
//!
//! Making names and telling them from other files of a store. What a store does with strays is its matter.

use super::StorageForm;
use crate::digest::{CHUNK_ID_LEN, ChunkId};

/// Path of a chunk relative to its store, on the stack.
pub type ChunkName = heapless::String<112>;

impl StorageForm {
    /// `<first 4 digits>/<64 digits><extension>`.
    #[must_use]
    pub fn path_of(self, id: &ChunkId) -> ChunkName {
        let hex = id.to_hex();
        let mut name = ChunkName::new();
        // 4 + 1 + 64 bytes and 34 of extension at most fit the capacity of 112.
        for part in [&hex[..4], "/", &hex, &self.extension()] {
            let _ = name.push_str(part);
        }
        name
    }
}

/// A file name that may be a chunk's, taken apart by [`parse_file_name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ParsedName<'a> {
    /// The ID its digits spell.
    pub id: ChunkId,
    /// Whether all digits are as every program writes them. A name in upper case is a stray: on most file
    /// systems no look-up would find it.
    pub lower_case: bool,
    /// What follows the digits: `.cacnk`, nothing, or anything else.
    pub extension: &'a str,
}

impl ParsedName<'_> {
    /// The form in which a chunk of this name is kept; `None` if the extension is no chunk's.
    #[must_use]
    pub fn form(&self) -> Option<StorageForm> {
        StorageForm::from_extension(self.extension)
    }

    /// The directory within the store where a chunk of this name belongs: its first 4 digits.
    #[must_use]
    pub fn directory(&self) -> heapless::String<4> {
        let mut name = heapless::String::new();
        // 4 digits fit the capacity of 4.
        let _ = name.push_str(&self.id.to_hex()[..4]);
        name
    }
}

/// Takes a file name (without directories) apart: 64 hex digits, then anything. `None` if it does not start
/// with 64 hex digits.
///
/// A temporary file `<64 hex>.<random>.tmp` has such a name too; its extension tells.
#[must_use]
pub fn parse_file_name(name: &str) -> Option<ParsedName<'_>> {
    let (digits, extension) = name.split_at_checked(2 * CHUNK_ID_LEN)?;
    let id = digits.parse().ok()?;
    let lower_case = !digits.bytes().any(|digit| digit.is_ascii_uppercase());
    Some(ParsedName { id, lower_case, extension })
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;
    use crate::digest::DigestKind;
    use crate::format::{CipherKind, KeyLabel};

    fn id() -> ChunkId {
        DigestKind::Sha512_256.id_of(b"a chunk")
    }

    #[test]
    fn names_round_trip() {
        let key = KeyLabel { cipher: CipherKind::XChaCha20Poly1305, key_id: [0, 1, 2, 0xff] };
        let compressed = StorageForm::Compressed;
        for form in [compressed, StorageForm::Plain, compressed.encrypted(key)] {
            let path = form.path_of(&id());
            let (directory, file) = path.split_once('/').unwrap();
            let parsed = parse_file_name(file).unwrap();
            assert_eq!((parsed.id, parsed.lower_case, parsed.form()), (id(), true, Some(form)));
            assert_eq!(parsed.directory(), directory);
        }
    }

    #[test]
    fn other_files_are_told_apart() {
        let hex = id().to_hex();
        let form = |name: &str| parse_file_name(name).map(|parsed| parsed.form());
        assert_eq!(form(&format!("{hex}.0f3a.tmp")), Some(None));
        assert_eq!(form(&format!("{hex}.CACNK")), Some(None));
        assert_eq!(form(&format!("{hex}0")), Some(None));
        assert_eq!(form(&hex[1..]), None);
        assert_eq!(form("lost+found"), None);
        assert_eq!(form(""), None);
        // A character of several bytes across the end of the digits.
        assert_eq!(form(&format!("{}é", &hex[1..])), None);
    }

    #[test]
    fn defect_50_upper_case_names_are_told_apart() {
        let upper = id().to_hex().to_ascii_uppercase();
        let parsed = parse_file_name(&upper).unwrap();
        assert_eq!((parsed.id, parsed.lower_case), (id(), false));
    }
}
