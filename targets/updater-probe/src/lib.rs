//! A world of registers that the compiler must believe in, so that nothing of the updater is optimised away.
//! Linked and looked at, never run.
#![no_std]
#![allow(unsafe_code)] // registers, and an allocator

use core::alloc::GlobalAlloc;

use cortex_m as _;
use defmt as _;
use desync_core::chunk_source::Wanted;
use desync_core::update::{Config, Flash, Geometry, Layout, Offer, Region, Stored, UpdateSource};
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
pub fn put(word: u32) {
    // SAFETY: never run; a word-sized store to a device register.
    unsafe { REGISTERS.write_volatile(word) }
}

/// Asks the machine for a word.
pub fn get() -> u32 {
    // SAFETY: never run; a word-sized load from a device register.
    unsafe { REGISTERS.read_volatile() }
}

/// Asks for bytes.
pub fn receive(into: &mut [u8]) {
    into.iter_mut().for_each(|byte| *byte = get() as u8);
}

/// A NOR flash.
pub struct Chip;

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

/// An update source.
pub struct Link;

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

/// A megabyte for two slots.
pub const LAYOUT: Layout = Layout {
    journal: Region { start: 0, len: 0x4000 },
    indexes: [Region { start: 0x4000, len: 0x4000 }, Region { start: 0x8000, len: 0x4000 }],
    slots: [Region { start: 0x1_0000, len: 0x6_0000 }, Region { start: 0x8_0000, len: 0x6_0000 }],
};

/// A flash without an adapter.
pub struct BareChip;

impl Flash for BareChip {
    type Error = NorFlashErrorKind;

    fn geometry(&self) -> Geometry {
        Geometry { erase_len: 4096, write_len: 4 }
    }

    async fn read(&mut self, at: u64, into: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        Chip.read(at as u32, into)
    }

    async fn erase(&mut self, sector: u64) -> Result<(), NorFlashErrorKind> {
        Chip.erase(sector as u32, sector as u32 + 4096)
    }

    async fn program(&mut self, at: u64, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        Chip.write(at as u32, bytes)
    }

    async fn sync(&mut self) -> Result<(), NorFlashErrorKind> {
        status()
    }
}

/// A device that takes what `make --profile device` makes.
pub fn config() -> Config {
    let limits = Limits {
        chunk_len_max: 256 << 10,
        index_chunks_max: 1000,
        zstd_window_max: WINDOW as u64,
        ..Limits::HOST
    };
    Config {
        layout: LAYOUT,
        limits,
        digest: DigestKind::Sha512_256,
        trial_boots: 3,
        lookup_key: get().into(),
    }
}

/// The window of the device profile.
pub const WINDOW: usize = 4096;

/// An offer from somewhere.
pub fn offer() -> Offer {
    let mut index_id = [0; 32];
    receive(&mut index_id);
    Offer {
        index_id: ChunkId(index_id),
        index_len: get().into(),
        digest: DigestKind::Sha512_256,
        zstd_window: get().into(),
    }
}
