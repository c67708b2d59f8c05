//! One whole update with chunks of up to 256 KiB, and how much memory it took: the stack from its paint, with all
//! that the updater was given on it. There is no heap.
//!
//! The flash is made up of what it must come to hold, since neither image would fit into memory.
#![no_std]
#![no_main]
#![allow(unsafe_code)] // the stack's limits, and an allocator

use core::alloc::{GlobalAlloc, Layout as Allocation};
use core::convert::Infallible;
use core::ptr;

use cortex_m as _;
use cortex_m_rt::entry;
use defmt as _;
use desync_core::chunk_source::Wanted;
use desync_core::codec::stream_memory;
use desync_core::update::{
    Config, Flash, Geometry, Layout, Offer, Region, Slot, Stored, UpdateSource, Updater, Workspace, block_on,
    boot, words_needed,
};
use desync_core::{ChunkId, DigestKind, Limits};
use semihosting::process::ExitCode;

include!(concat!(env!("OUT_DIR"), "/id.rs"));
static IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/image"));
static INDEX: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/index"));

/// The chunks as a store has them.
static STORED: [(Stored, &[u8]); 2] = [
    (Stored::Zstd, include_bytes!("../chunk.zst")),
    (Stored::Plain, include_bytes!(concat!(env!("OUT_DIR"), "/plain"))),
];

/// The core names `alloc`, so there must be an allocator; the updater asks nothing of it.
struct Nothing;

// SAFETY: it says each time that there is no memory.
unsafe impl GlobalAlloc for Nothing {
    unsafe fn alloc(&self, _: Allocation) -> *mut u8 {
        ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Allocation) {}
}

#[global_allocator]
static NOTHING: Nothing = Nothing;

const SECTOR: usize = 4096;
const WINDOW: usize = 4096;
const CHUNKS: u32 = STORED.len() as u32;

const fn region(first: u64, sectors: u64) -> Region {
    Region { start: first * SECTOR as u64, len: sectors * SECTOR as u64 }
}

const SLOT_SECTORS: usize = 96;
const LAYOUT: Layout = Layout {
    journal: region(0, 2),
    indexes: [region(2, 1), region(3, 1)],
    slots: [region(4, SLOT_SECTORS as u64), region(4 + SLOT_SECTORS as u64, SLOT_SECTORS as u64)],
};

/// Journal and indexes as they are; slot A holds some of the image, slot B what was rightly programmed.
struct Device {
    small: [[u8; SECTOR]; 4],
    programmed: [bool; SLOT_SECTORS],
}

/// Something was programmed that is not the image.
#[derive(Debug)]
struct WrongBytes;

impl Device {
    fn cell(&self, at: usize) -> u8 {
        let (sector, within) = (at / SECTOR, at % SECTOR);
        let image = |at: usize| IMAGE.get(at).copied().unwrap_or(0xff);
        match sector.checked_sub(4) {
            None => self.small[sector][within],
            Some(slot_a) if slot_a < SLOT_SECTORS => image(at - 4 * SECTOR + 5000),
            Some(sector) if self.programmed[sector - SLOT_SECTORS] => image(at - (4 + SLOT_SECTORS) * SECTOR),
            Some(_) => 0xff,
        }
    }
}

/// The device, lent to an updater.
struct Borrowed<'d>(&'d mut Device);

impl Flash for Borrowed<'_> {
    type Error = WrongBytes;

    fn geometry(&self) -> Geometry {
        self.0.geometry()
    }

    async fn read(&mut self, at: u64, into: &mut [u8]) -> Result<(), WrongBytes> {
        self.0.read(at, into).await
    }

    async fn erase(&mut self, sector: u64) -> Result<(), WrongBytes> {
        self.0.erase(sector).await
    }

    async fn program(&mut self, at: u64, bytes: &[u8]) -> Result<(), WrongBytes> {
        self.0.program(at, bytes).await
    }

    async fn sync(&mut self) -> Result<(), WrongBytes> {
        self.0.sync().await
    }
}

impl Flash for Device {
    type Error = WrongBytes;

    fn geometry(&self) -> Geometry {
        Geometry { erase_len: SECTOR as u32, write_len: 4 }
    }

    async fn read(&mut self, at: u64, into: &mut [u8]) -> Result<(), WrongBytes> {
        (at as usize..).zip(into).for_each(|(at, byte)| *byte = self.cell(at));
        Ok(())
    }

    async fn erase(&mut self, sector: u64) -> Result<(), WrongBytes> {
        let sector = sector as usize / SECTOR;
        match sector.checked_sub(4 + SLOT_SECTORS) {
            None => self.small[sector].fill(0xff),
            Some(sector) => self.programmed[sector] = false,
        }
        Ok(())
    }

    async fn program(&mut self, at: u64, bytes: &[u8]) -> Result<(), WrongBytes> {
        let at = at as usize;
        let (sector, within) = (at / SECTOR, at % SECTOR);
        match sector.checked_sub(4 + SLOT_SECTORS) {
            None => self.small[sector][within..within + bytes.len()].copy_from_slice(bytes),
            Some(sector) => {
                self.programmed[sector] = true;
                if (at..).zip(bytes).any(|(at, &byte)| self.cell(at) != byte) {
                    return Err(WrongBytes);
                }
            }
        }
        Ok(())
    }

    async fn sync(&mut self) -> Result<(), WrongBytes> {
        Ok(())
    }
}

/// The release as a store has it.
struct Store {
    rest: &'static [u8],
}

/// Bytes of the front of `from`, as many as fit.
fn give(from: &[u8], into: &mut [u8]) -> usize {
    let len = from.len().min(into.len());
    into[..len].copy_from_slice(&from[..len]);
    len
}

impl UpdateSource for Store {
    type Error = Infallible;

    async fn index(&mut self, offset: u64, into: &mut [u8]) -> Result<usize, Infallible> {
        Ok(give(&INDEX[offset as usize..], into))
    }

    async fn open(&mut self, wanted: &Wanted) -> Result<Stored, Infallible> {
        // Items begin at byte 64 and have 40: an end, then the name.
        let mut names = INDEX[64..].chunks(40).map(|item| &item[8..]);
        let number = names.position(|name| name == wanted.id.as_bytes()).expect("a chunk of the index");
        let (stored, bytes) = STORED[number];
        self.rest = bytes;
        Ok(stored)
    }

    async fn read(&mut self, into: &mut [u8]) -> Result<usize, Infallible> {
        let len = give(self.rest, into);
        self.rest = &self.rest[len..];
        Ok(len)
    }
}

#[entry]
fn main() -> ! {
    // The macro makes this a reference that is given out once.
    static mut DEVICE: Device = Device { small: [[0xff; SECTOR]; 4], programmed: [false; SLOT_SECTORS] };
    let device: &mut Device = DEVICE;
    let fetched = update(device);
    let ram = stack_peak();
    let slot = block_on(boot::start(device, &LAYOUT));
    semihosting::println!("fetched {fetched} bytes of {}; boots {slot:?}", IMAGE.len());
    semihosting::println!("ram: {ram}");
    let is_right = matches!(slot, Ok(Slot::B)) && fetched > 256 << 10;
    if is_right { ExitCode::SUCCESS.exit_process() } else { ExitCode::FAILURE.exit_process() }
}

/// Bytes fetched.
#[inline(never)]
fn update(device: &mut Device) -> u64 {
    let limits = Limits {
        chunk_len_max: 256 << 10,
        index_chunks_max: CHUNKS.into(),
        zstd_window_max: WINDOW as u64,
        ..Limits::HOST
    };
    let digest = DigestKind::Sha512_256;
    let config = Config { layout: LAYOUT, limits, digest, trial_boots: 1, lookup_key: 1 };
    let index_id = ChunkId(INDEX_ID);
    let offer = Offer { index_id, index_len: INDEX.len() as u64, digest, zstd_window: WINDOW as u64 };
    let (mut sector, mut zstd) = ([0; SECTOR], [0; stream_memory(WINDOW)]);
    let mut words = [0; words_needed(CHUNKS)];
    let workspace = Workspace { sector: &mut sector, words: &mut words, zstd: &mut zstd };
    let mut source = Store { rest: &[] };
    let mut updater = Updater::new::<Infallible>(Borrowed(device), config).expect("the layout fits");
    let report = block_on(updater.run(&offer, &mut source, workspace)).expect("an honest source");
    report.fetched.bytes
}

/// Bytes of stack that were ever used: what cortex-m-rt painted before `main` and is no longer painted.
fn stack_peak() -> usize {
    const PAINT: u32 = 0xcccc_cccc;
    unsafe extern "C" {
        static _stack_start: u32;
        static _stack_end: u32;
    }
    let (top, mut at) = (&raw const _stack_start as usize, &raw const _stack_end as usize);
    // SAFETY: whole words between the two symbols are RAM set aside for the stack.
    while at < top && unsafe { ptr::read_volatile(at as *const u32) } == PAINT {
        at += 4;
    }
    top - at
}
