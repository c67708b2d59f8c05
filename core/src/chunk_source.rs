//! What a plan's fetches need from the world: one verified chunk at a time.

use crate::digest::{ChunkId, DigestKind};
use crate::verified::VerifiedChunk;

/// A chunk somebody wants, with everything needed to refuse a wrong one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Wanted {
    /// Its name.
    pub id: ChunkId,
    /// The digest that makes names here.
    pub digest: DigestKind,
    /// How long its plain bytes may be.
    pub len: WantedLen,
}

/// What is known of a chunk's plain length beforehand, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum WantedLen {
    /// Exactly this long: an index says so.
    Exactly(u64),
    /// Not longer than this: only a limit is known.
    AtMost(u64),
}

impl WantedLen {
    /// The longest length that can be right, in bytes.
    #[must_use]
    pub const fn max(self) -> u64 {
        match self {
            Self::Exactly(len) | Self::AtMost(len) => len,
        }
    }

    /// Whether plain bytes of this length can be the chunk.
    #[must_use]
    pub const fn admits(self, len: u64) -> bool {
        match self {
            Self::Exactly(wanted) => len == wanted,
            Self::AtMost(max) => len <= max,
        }
    }
}

/// Where fetched chunks come from: a store, a link to a peer, a test.
pub trait ChunkSource {
    /// What can go wrong in fetching.
    type Error;
    /// What holds the bytes of a fetched chunk.
    type Bytes: AsRef<[u8]>;

    /// Fetches one chunk, already verified.
    ///
    /// # Errors
    /// The source's own. Nothing is remembered of a failed fetch, so it can be asked for again.
    fn fetch(&mut self, wanted: &Wanted) -> Result<VerifiedChunk<Self::Bytes>, Self::Error>;
}
