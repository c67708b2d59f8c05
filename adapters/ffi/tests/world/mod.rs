//! A device as a program in C has it: flash, source and line as callbacks over one pointer, and two releases.

use std::collections::BTreeMap;
use std::ffi::{c_int, c_void};

use desync_core::chunking::{ChunkSizes, Chunker, CutRule, Kernel};
use desync_core::format::flags::FeatureFlags;
use desync_core::format::{Index, IndexHeader, IndexItem};
use desync_core::{ChunkId, DigestKind, Limits};
use desync_ffi::{Config, DESYNC_DIGEST_SHA512_256, Flash, Layout, Offer, Region, Source, Wanted};
use desync_test_kit::prng;

const SECTOR: u64 = 1024;
const UNIT: u32 = 8;
const DIGEST: DigestKind = DigestKind::Sha512_256;

const fn region(first: u64, sectors: u64) -> Region {
    Region { start: first * SECTOR, len: sectors * SECTOR }
}

pub(crate) const LAYOUT: Layout = Layout {
    journal: region(0, 3),
    indexes: [region(3, 4), region(7, 4)],
    slots: [region(11, 20), region(31, 20)],
};

const FLASH_LEN: usize = 51 * SECTOR as usize;

pub(crate) const CONFIG: Config = Config {
    layout: LAYOUT,
    chunk_len_max: 2048,
    lookup_key: 7,
    index_chunks_max: 1000,
    zstd_window_max: 2048,
    digest: DESYNC_DIGEST_SHA512_256,
    trial_boots: 2,
};

/// An image, its index and its chunks.
pub(crate) struct Release {
    pub(crate) image: Vec<u8>,
    pub(crate) index: Vec<u8>,
    chunks: BTreeMap<[u8; 32], Vec<u8>>,
}

impl Release {
    pub(crate) fn new(image: Vec<u8>) -> Self {
        let sizes = ChunkSizes::new(128, 512, 2048, &Limits::HOST).unwrap();
        let mut chunker = Chunker::new(&sizes, CutRule::Casync, Kernel::SCALAR);
        let (mut items, mut chunks, mut start) = (Vec::new(), BTreeMap::new(), 0);
        while start < image.len() {
            let len = chunker.push(&image[start..]).unwrap_or(image.len() - start);
            let chunk = &image[start..start + len];
            let id = DIGEST.id_of(chunk);
            start += len;
            chunks.insert(id.0, chunk.to_vec());
            items.push(IndexItem { end: start as u64, id });
        }
        let header = IndexHeader { flags: FeatureFlags::desync_blob(DIGEST), sizes };
        let index = Index { header, items }.encode_to_vec().unwrap();
        Self { image, index, chunks }
    }

    /// The second shares a part with the first.
    pub(crate) fn pair() -> (Self, Self) {
        let old = prng(15_000, 1);
        let new = [&old[..6000], &prng(3000, 2), &old[6000..]].concat();
        (Self::new(old), Self::new(new))
    }

    pub(crate) fn offer(&self) -> Offer {
        Offer {
            index_id: DIGEST.id_of(&self.index).0,
            index_len: self.index.len() as u64,
            digest: DESYNC_DIGEST_SHA512_256,
            zstd_window: 0,
        }
    }

    pub(crate) fn chunk(&self, id: &ChunkId) -> Option<&[u8]> {
        self.chunks.get(&id.0).map(Vec::as_slice)
    }
}

/// What the callbacks work on.
pub(crate) struct World {
    pub(crate) flash: Vec<u8>,
    pub(crate) release: Release,
    open: Vec<u8>,
    /// Operations that change the flash, so far.
    pub(crate) operations: usize,
    /// At which of them it fails, with this number.
    pub(crate) fails_at: Option<(usize, c_int)>,
    /// What fetching a chunk gives instead of its form, if anything.
    pub(crate) open_gives: Option<i32>,
}

impl World {
    /// A device that runs the first release and is offered the second.
    pub(crate) fn new(old: &Release, release: Release) -> Self {
        let mut flash = vec![0xff; FLASH_LEN];
        let slot = LAYOUT.slots[0].start as usize;
        flash[slot..slot + old.image.len()].copy_from_slice(&old.image);
        Self { flash, release, open: Vec::new(), operations: 0, fails_at: None, open_gives: None }
    }

    pub(crate) fn context(&mut self) -> *mut c_void {
        (&raw mut *self).cast()
    }

    pub(crate) fn slot(&self, slot: usize) -> &[u8] {
        let start = LAYOUT.slots[slot].start as usize;
        &self.flash[start..start + self.release.image.len()]
    }

    pub(crate) fn flash(&mut self) -> Flash {
        Flash {
            context: self.context(),
            erase_len: SECTOR as u32,
            write_len: UNIT,
            read: Some(read),
            program: Some(program),
            erase: Some(erase),
            sync: Some(sync),
        }
    }

    pub(crate) fn source(&mut self) -> Source {
        Source { context: self.context(), index: Some(index), open: Some(open), read: Some(read_chunk) }
    }

    fn fails(&mut self) -> Option<c_int> {
        self.operations += 1;
        self.fails_at.filter(|(at, _)| *at == self.operations).map(|(_, number)| number)
    }
}

/// The world behind a context.
unsafe fn world<'w>(context: *mut c_void) -> &'w mut World {
    // SAFETY: every context here is a `World` that its test keeps and does not touch during a call.
    unsafe { &mut *context.cast::<World>() }
}

/// A buffer of the library.
unsafe fn buffer<'b>(into: *mut u8, len: usize) -> &'b mut [u8] {
    // SAFETY: the library promises so many bytes.
    unsafe { std::slice::from_raw_parts_mut(into, len) }
}

unsafe extern "C" fn read(context: *mut c_void, at: u64, into: *mut u8, len: usize) -> c_int {
    // SAFETY: as said there.
    let (world, into) = unsafe { (world(context), buffer(into, len)) };
    into.copy_from_slice(&world.flash[at as usize..at as usize + len]);
    0
}

unsafe extern "C" fn program(context: *mut c_void, at: u64, bytes: *const u8, len: usize) -> c_int {
    // SAFETY: as said there; the bytes are only read.
    let (world, bytes) = unsafe { (world(context), std::slice::from_raw_parts(bytes, len)) };
    assert!(at.is_multiple_of(UNIT.into()) && len.is_multiple_of(UNIT as usize), "{len} at {at}");
    let cells = &mut world.flash[at as usize..at as usize + len];
    assert!(cells.iter().all(|cell| *cell == 0xff), "{at:#x} is not blank");
    cells.copy_from_slice(bytes);
    world.fails().unwrap_or(0)
}

unsafe extern "C" fn erase(context: *mut c_void, sector: u64) -> c_int {
    // SAFETY: as said there.
    let world = unsafe { world(context) };
    assert!(sector.is_multiple_of(SECTOR));
    world.flash[sector as usize..][..SECTOR as usize].fill(0xff);
    world.fails().unwrap_or(0)
}

unsafe extern "C" fn sync(_: *mut c_void) -> c_int {
    0
}

unsafe extern "C" fn index(context: *mut c_void, offset: u64, into: *mut u8, len: usize) -> isize {
    // SAFETY: as said there.
    let (world, into) = unsafe { (world(context), buffer(into, len)) };
    let rest = &world.release.index[offset as usize..];
    let len = len.min(rest.len());
    into[..len].copy_from_slice(&rest[..len]);
    len.cast_signed()
}

unsafe extern "C" fn open(context: *mut c_void, wanted: *const Wanted) -> i32 {
    // SAFETY: as said there; the library promises a chunk that is wanted.
    let (world, wanted) = unsafe { (world(context), &*wanted) };
    let Some(chunk) = world.release.chunk(&ChunkId(wanted.id)) else { return -404 };
    assert_eq!(wanted.len_max, chunk.len() as u64);
    world.open = chunk.to_vec();
    world.open_gives.unwrap_or(0)
}

unsafe extern "C" fn read_chunk(context: *mut c_void, into: *mut u8, len: usize) -> isize {
    // SAFETY: as said there.
    let (world, into) = unsafe { (world(context), buffer(into, len)) };
    let len = len.min(world.open.len());
    into[..len].copy_from_slice(&world.open[..len]);
    world.open.drain(..len);
    len.cast_signed()
}
