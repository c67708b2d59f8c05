//! The file that is a board's flash, and what lies where in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::Board;

/// Bytes of a sector.
pub const SECTOR: u64 = 4096;

/// What lies where: as `board-support`'s update has it.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Addresses of the slots.
    pub slots: [u64; 2],
    /// First address behind all of it.
    pub end: u64,
}

/// The flash of one board.
#[derive(Clone, Debug)]
pub struct FlashFile {
    path: PathBuf,
    len: u64,
}

impl Layout {
    /// Of a board: a journal and two indexes of four sectors each, then the slots.
    #[must_use]
    pub const fn of(board: &Board) -> Self {
        let start = 12 * SECTOR;
        Self { slots: [start, start + board.slot_len], end: start + 2 * board.slot_len }
    }
}

impl FlashFile {
    /// The flash in this folder, where the emulator will look for it. Nothing is written yet.
    #[must_use]
    pub fn new(folder: &Path, board: &Board) -> Self {
        Self { path: folder.join("flash.bin"), len: board.flash_len }
    }

    /// What the factory makes of it: erased, with an image in slot A and, if it is not empty, something in B.
    ///
    /// # Errors
    /// The file's own.
    pub fn make(&self, board: &Board, a: &[u8], b: &[u8]) -> io::Result<()> {
        let layout = Layout::of(board);
        let mut bytes = vec![0xff; layout.end as usize];
        for (at, image) in layout.slots.into_iter().zip([a, b]) {
            bytes[at as usize..][..image.len()].copy_from_slice(image);
        }
        self.write(&bytes)
    }

    /// Replaces all that the layout reaches.
    ///
    /// # Errors
    /// The file's own.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        fs::write(&self.path, bytes)?;
        fs::File::options().write(true).open(&self.path)?.set_len(self.len)
    }

    /// All of it.
    ///
    /// # Errors
    /// The file's own.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        fs::read(&self.path)
    }

    /// Whether a slot holds this image.
    ///
    /// # Errors
    /// The file's own.
    pub fn holds(&self, slot: u64, image: &[u8]) -> io::Result<bool> {
        Ok(self.read()?[slot as usize..].starts_with(image))
    }
}
