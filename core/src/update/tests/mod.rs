//! A small device, two images that share chunks, and a source that counts what it is asked for.

mod block_model;
mod link;
mod model;
mod nor_model;
mod power_cut;
mod refusals;
mod whole;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use desync_test_kit::prng;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::planted::Planted;
use super::*;
use crate::chunk_source::Wanted;
use crate::chunking::{ChunkSizes, Chunker, CutRule, Kernel};
use crate::codec::stream_memory;
use crate::digest::{ChunkId, DigestKind};
use crate::format::flags::FeatureFlags;
use crate::format::{Index, IndexHeader, IndexItem};
use crate::limits::Limits;
use model::{Model, ModelError};
use nor_model::{GEOMETRY, NorModel};

const SECTOR: u64 = GEOMETRY.erase_len as u64;
const SLOT_LEN: u64 = 14 * SECTOR;
const INDEX_LEN: u64 = 9 * SECTOR;
const FLASH_LEN: usize = (3 * SECTOR + 2 * SLOT_LEN + 2 * INDEX_LEN) as usize;
const DIGEST: DigestKind = DigestKind::Sha512_256;
const LIMITS: Limits =
    Limits { chunk_len_max: 256, index_chunks_max: 1000, zstd_window_max: 4096, ..Limits::HOST };

const fn region(start: u64, len: u64) -> Region {
    Region { start, len }
}

const LAYOUT: Layout = Layout {
    journal: region(0, 3 * SECTOR),
    slots: [region(3 * SECTOR, SLOT_LEN), region(3 * SECTOR + SLOT_LEN, SLOT_LEN)],
    indexes: [
        region(3 * SECTOR + 2 * SLOT_LEN, INDEX_LEN),
        region(3 * SECTOR + 2 * SLOT_LEN + INDEX_LEN, INDEX_LEN),
    ],
};

const CONFIG: Config =
    Config { layout: LAYOUT, limits: LIMITS, digest: DIGEST, trial_boots: 2, lookup_key: 7 };

/// An image as a release has it.
struct Release {
    image: Vec<u8>,
    index: Index,
    index_bytes: Vec<u8>,
    offer: Offer,
}

impl Release {
    fn new(image: Vec<u8>) -> Self {
        let sizes = ChunkSizes::new(64, 128, 256, &Limits::HOST).unwrap();
        let mut chunker = Chunker::new(&sizes, CutRule::Casync, Kernel::SCALAR);
        let (mut items, mut start) = (Vec::new(), 0);
        while start < image.len() {
            let len = chunker.push(&image[start..]).unwrap_or(image.len() - start);
            let id = DIGEST.id_of(&image[start..start + len]);
            start += len;
            items.push(IndexItem { end: start as u64, id });
        }
        let header = IndexHeader { flags: FeatureFlags::desync_blob(DIGEST), sizes };
        Self::with_index(image, Index { header, items })
    }

    fn with_index(image: Vec<u8>, index: Index) -> Self {
        let index_bytes = index.encode_to_vec().unwrap();
        let offer = Offer {
            index_id: DIGEST.id_of(&index_bytes),
            index_len: index_bytes.len() as u64,
            digest: DIGEST,
            zstd_window: 256,
        };
        Self { image, index, index_bytes, offer }
    }

    /// Two images: the second has a part of its own, a part of the first moved, zeros, and padding.
    fn pair() -> (Self, Self) {
        let old = prng(3000, 1);
        let new = [&old[..700], &prng(600, 2), &old[700..1500], &[0; 600], &[0xa5; 700], b"end"].concat();
        (Self::new(old), Self::new(new))
    }
}

/// Every chunk of a release; one in two compressed.
#[derive(Clone)]
struct TestSource {
    index: Vec<u8>,
    chunks: BTreeMap<ChunkId, (Stored, Vec<u8>)>,
    open: Option<ChunkId>,
    given: usize,
    fetched_bytes: u64,
    stored_bytes: u64,
    index_bytes_given: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such chunk")]
struct NoSuchChunk;

impl TestSource {
    fn new(release: &Release) -> Self {
        let stored = |(number, entry): (usize, crate::format::ChunkEntry)| {
            let plain = &release.image[entry.start as usize..entry.end as usize];
            let stored = if number % 2 == 0 {
                (Stored::Plain, plain.to_vec())
            } else {
                (Stored::Zstd, compress_to_vec(plain, CompressionLevel::Fastest))
            };
            (entry.id, stored)
        };
        let chunks = release.index.entries().enumerate().map(stored).collect();
        let index = release.index_bytes.clone();
        Self { index, chunks, open: None, given: 0, fetched_bytes: 0, stored_bytes: 0, index_bytes_given: 0 }
    }
}

impl UpdateSource for TestSource {
    type Error = NoSuchChunk;

    async fn index(&mut self, offset: u64, into: &mut [u8]) -> Result<usize, NoSuchChunk> {
        let rest = &self.index[(offset as usize).min(self.index.len())..];
        let len = rest.len().min(into.len()).min(100);
        into[..len].copy_from_slice(&rest[..len]);
        self.index_bytes_given += len as u64;
        Ok(len)
    }

    async fn open(&mut self, wanted: &Wanted) -> Result<Stored, NoSuchChunk> {
        let (stored, bytes) = self.chunks.get(&wanted.id).ok_or(NoSuchChunk)?;
        self.stored_bytes += bytes.len() as u64;
        (self.open, self.given) = (Some(wanted.id), 0);
        self.fetched_bytes += wanted.len.max();
        Ok(*stored)
    }

    async fn read(&mut self, into: &mut [u8]) -> Result<usize, NoSuchChunk> {
        let (_, bytes) = self.open.and_then(|id| self.chunks.get(&id)).ok_or(NoSuchChunk)?;
        let len = (bytes.len() - self.given).min(into.len()).min(60);
        into[..len].copy_from_slice(&bytes[self.given..self.given + len]);
        self.given += len;
        Ok(len)
    }
}

type Failure = UpdateError<ModelError, NoSuchChunk>;

/// A device as it leaves the factory, with this image.
fn device(release: &Release) -> NorModel {
    let mut flash = NorModel::new(FLASH_LEN);
    flash.preset(LAYOUT.slots[0].start as usize, &release.image);
    flash
}

fn update_with<M: Model>(
    flash: &mut M,
    offer: &Offer,
    source: &mut TestSource,
    planted: Planted,
) -> Result<Report, Failure> {
    let mut sector = [0; SECTOR as usize];
    let mut words = [0; 200];
    let words = &mut words[..words_needed(offer.chunks().unwrap_or(0)).min(200)];
    let mut zstd = [0; stream_memory(LIMITS.zstd_window_max as usize)];
    let mut updater = Updater::new(flash.clone(), CONFIG)?;
    updater.planted = planted;
    let report =
        updater.run_blocking(offer, source, Workspace { sector: &mut sector, words, zstd: &mut zstd });
    *flash = updater.into_flash();
    report
}

fn update<M: Model>(flash: &mut M, offer: &Offer, source: &mut TestSource) -> Result<Report, Failure> {
    update_with(flash, offer, source, Planted::Nothing)
}
