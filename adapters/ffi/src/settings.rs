//! What a device decides, and what it is offered, as C writes it down.

use desync_core::digest::{ChunkId, DigestKind};
use desync_core::{Limits, update};

use crate::status::Status;

/// Chunks and indexes are named by SHA-512/256: what casync and desync do unless told otherwise.
pub const DESYNC_DIGEST_SHA512_256: u32 = 0;
/// Chunks and indexes are named by SHA-256.
pub const DESYNC_DIGEST_SHA256: u32 = 1;

/// A range of flash: address and length in bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Region {
    /// Address of its first byte, as the callbacks of the flash are given it.
    pub start: u64,
    /// Length.
    pub len: u64,
}

/// The map of a device. Every region starts and ends on a sector; none overlaps another. All of them are one
/// flash, reached by one `desync_flash`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// The two images; the first is what boots when the journal is empty.
    pub slots: [Region; 2],
    /// The index of the image in each slot: 104 bytes and 40 for each chunk.
    pub indexes: [Region; 2],
    /// Two sectors or more.
    pub journal: Region,
}

/// What a device decides once. A bootloader and the images it starts must agree on the layout.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Where things lie.
    pub layout: Layout,
    /// The longest chunk that an index may have, in bytes. Memory does not depend on it.
    pub chunk_len_max: u64,
    /// Any number that whoever makes indexes does not know, such as a random one.
    pub lookup_key: u64,
    /// The most chunks that an index may have.
    pub index_chunks_max: u32,
    /// The largest zstd window that a chunk may ask for, in bytes; 0 if all come plain. The
    /// decoder's memory follows from it.
    pub zstd_window_max: u32,
    /// `DESYNC_DIGEST_SHA512_256` or `DESYNC_DIGEST_SHA256`.
    pub digest: u32,
    /// How often a new image boots without being confirmed, up to 255; 0 counts as 1.
    pub trial_boots: u32,
}

/// An image that is offered: what a trusted channel, such as a signed manifest, says of it. Everything else
/// follows from the ID: the index is proven by it, and the image by the index.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// The digest of the whole index.
    pub index_id: [u8; 32],
    /// Length of the index in bytes.
    pub index_len: u64,
    /// The digest of the index and of its chunks.
    pub digest: u32,
    /// The largest zstd window among its chunks, in bytes; 0 if none is compressed.
    pub zstd_window: u32,
}

pub(crate) fn digest(number: u32) -> Result<DigestKind, Status> {
    match number {
        DESYNC_DIGEST_SHA512_256 => Ok(DigestKind::Sha512_256),
        DESYNC_DIGEST_SHA256 => Ok(DigestKind::Sha256),
        _ => Err(Status::InvalidArgument),
    }
}

pub(crate) const fn digest_number(digest: DigestKind) -> u32 {
    match digest {
        DigestKind::Sha512_256 => DESYNC_DIGEST_SHA512_256,
        DigestKind::Sha256 => DESYNC_DIGEST_SHA256,
    }
}

impl From<Region> for update::Region {
    fn from(Region { start, len }: Region) -> Self {
        Self { start, len }
    }
}

impl From<&Layout> for update::Layout {
    fn from(layout: &Layout) -> Self {
        Self {
            slots: layout.slots.map(Into::into),
            indexes: layout.indexes.map(Into::into),
            journal: layout.journal.into(),
        }
    }
}

impl Config {
    pub(crate) const fn limits(&self) -> Limits {
        Limits {
            chunk_len_max: self.chunk_len_max,
            index_chunks_max: self.index_chunks_max as u64,
            zstd_window_max: self.zstd_window_max as u64,
            ..Limits::HOST
        }
    }

    pub(crate) fn to_core(self) -> Result<update::Config, Status> {
        Ok(update::Config {
            layout: (&self.layout).into(),
            limits: self.limits(),
            digest: digest(self.digest)?,
            trial_boots: u8::try_from(self.trial_boots).map_err(|_| Status::InvalidArgument)?,
            lookup_key: self.lookup_key,
        })
    }
}

impl Offer {
    pub(crate) fn to_core(self) -> Result<update::Offer, Status> {
        Ok(update::Offer {
            index_id: ChunkId(self.index_id),
            index_len: self.index_len,
            digest: digest(self.digest)?,
            zstd_window: self.zstd_window.into(),
        })
    }
}

impl From<&update::Offer> for Offer {
    fn from(offer: &update::Offer) -> Self {
        Self {
            index_id: offer.index_id.0,
            index_len: offer.index_len,
            digest: digest_number(offer.digest),
            // Windows beyond 32 bits are no device's.
            zstd_window: u32::try_from(offer.zstd_window).unwrap_or(u32::MAX),
        }
    }
}
