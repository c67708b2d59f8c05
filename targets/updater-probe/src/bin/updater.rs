//! A firmware that can update itself, with all that the updater has: SHA-512/256, zstd, planner and journal.
//!
//! Flash and source are registers that the compiler must believe in, so that nothing is optimised away.
#![no_std]
#![no_main]
#![allow(unsafe_code)] // registers

use core::alloc::GlobalAlloc;
use core::panic::PanicInfo;

use cortex_m as _;
use cortex_m_rt::entry;
use defmt as _;
use desync_core::chunk_source::Wanted;
use desync_core::codec::stream_memory;
use desync_core::update::{
    Blocking, Config, Layout, Nor, Offer, Region, Stored, UpdateSource, Updater, Workspace, block_on, boot,
};
use desync_core::{ChunkId, DigestKind, Limits};
use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};

/// The core names `alloc`, so there must be an allocator; the updater asks nothing of it.
struct Nothing;

// SAFETY: it says each time that there is no memory.
unsafe impl GlobalAlloc for Nothing {
    unsafe fn alloc(&self, _: core::alloc::Layout) -> *mut u8 {
        core::ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: core::alloc::Layout) {}
}

#[global_allocator]
static NOTHING: Nothing = Nothing;

const REGISTERS: *mut u32 = 0x4000_0000 as *mut u32;

/// Tells the machine a word.
fn put(word: u32) {
    // SAFETY: never run; a word-sized store to a device register.
    unsafe { REGISTERS.write_volatile(word) }
}

/// Asks the machine for a word.
fn get() -> u32 {
    // SAFETY: never run; a word-sized load from a device register.
    unsafe { REGISTERS.read_volatile() }
}

fn receive(into: &mut [u8]) {
    into.iter_mut().for_each(|byte| *byte = get() as u8);
}

struct Chip;

impl ErrorType for Chip {
    type Error = NorFlashErrorKind;
}

fn status() -> Result<(), NorFlashErrorKind> {
    if get() == 0 { Ok(()) } else { Err(NorFlashErrorKind::Other) }
}

impl ReadNorFlash for Chip {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        put(offset);
        receive(bytes);
        status()
    }

    fn capacity(&self) -> usize {
        1 << 20
    }
}

impl NorFlash for Chip {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        put(from);
        put(to);
        status()
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        put(offset);
        bytes.iter().for_each(|&byte| put(byte.into()));
        status()
    }
}

struct Link;

impl UpdateSource for Link {
    type Error = u32;

    async fn index(&mut self, offset: u64, into: &mut [u8]) -> Result<usize, u32> {
        put(offset as u32);
        receive(into);
        Ok(get() as usize)
    }

    async fn open(&mut self, wanted: &Wanted) -> Result<Stored, u32> {
        wanted.id.as_bytes().iter().for_each(|&byte| put(byte.into()));
        match get() {
            0 => Ok(Stored::Plain),
            1 => Ok(Stored::Zstd),
            error => Err(error),
        }
    }

    async fn read(&mut self, into: &mut [u8]) -> Result<usize, u32> {
        receive(into);
        Ok(get() as usize)
    }
}

const LAYOUT: Layout = Layout {
    journal: Region { start: 0, len: 0x4000 },
    indexes: [Region { start: 0x4000, len: 0x4000 }, Region { start: 0x8000, len: 0x4000 }],
    slots: [Region { start: 0x1_0000, len: 0x6_0000 }, Region { start: 0x8_0000, len: 0x6_0000 }],
};

#[entry]
fn main() -> ! {
    let limits =
        Limits { chunk_len_max: 256 << 10, index_chunks_max: 1000, zstd_window_max: 4096, ..Limits::HOST };
    let config = Config {
        layout: LAYOUT,
        limits,
        digest: DigestKind::Sha512_256,
        trial_boots: 3,
        lookup_key: get().into(),
    };
    put(update(config));
    loop {}
}

/// Confirms the running image, and brings the next.
fn update(config: Config) -> u32 {
    let mut flash = Nor(Blocking(Chip));
    put(block_on(boot::confirm(&mut flash, &LAYOUT)).is_ok().into());
    let Ok(mut updater) = Updater::new::<u32>(flash, config) else { return 1 };
    let mut index_id = [0; 32];
    receive(&mut index_id);
    let offer = Offer {
        index_id: ChunkId(index_id),
        index_len: get().into(),
        digest: config.digest,
        zstd_window: get().into(),
    };
    let (mut sector, mut words, mut zstd) = ([0; 4096], [0; 2000], [0; stream_memory(4096)]);
    let workspace = Workspace { sector: &mut sector, words: &mut words, zstd: &mut zstd };
    match block_on(updater.run(&offer, &mut Link, workspace)) {
        Ok(report) => report.fetched.bytes as u32,
        Err(_) => 2,
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
