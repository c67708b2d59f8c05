//! What a chunk is called in a store: `<4 hex>/<64 hex><extension>`.

use crate::digest::ChunkId;

/// Path of a chunk relative to its store, on the stack.
pub type ChunkName = heapless::String<96>;

/// In which form a store keeps the bytes of its chunks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum StorageForm {
    /// Compressed, one zstd frame: extension `.cacnk`.
    #[default]
    Compressed,
    /// As they are: no extension.
    Plain,
}

impl StorageForm {
    /// What is appended to the 64 digits.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Compressed => ".cacnk",
            Self::Plain => "",
        }
    }

    /// `<first 4 digits>/<64 digits><extension>`.
    #[must_use]
    pub fn path_of(self, id: &ChunkId) -> ChunkName {
        let hex = id.to_hex();
        let mut name = ChunkName::new();
        // 4 + 1 + 64 + 6 digits fit the capacity of 96.
        for part in [&hex[..4], "/", &hex, self.extension()] {
            let _ = name.push_str(part);
        }
        name
    }
}
