//! Flash with the rules of NOR enforced and power that fails when it is told to, over any memory.
//!
//! QEMU lets a program write anything anywhere. Here a sector is erased as a whole, a unit is programmed once
//! between erases, and only where it reads blank; whoever breaks a rule panics, and the emulator ends with 101.

mod cut;
#[cfg(not(feature = "mps2"))]
mod host_file;
#[cfg(feature = "mps2")]
mod window;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

pub use cut::{Cut, Power};
#[cfg(not(feature = "mps2"))]
pub use host_file::HostFile;
#[cfg(feature = "mps2")]
pub use window::Window;

/// Bytes of a sector.
pub const ERASE_LEN: usize = 4096;
/// Bytes of a unit.
pub const WRITE_LEN: usize = 8;

/// Bytes moved at a time.
const PIECE_LEN: usize = 64;

/// Memory that keeps its content over a start: addresses from 0, lengths in bytes.
pub trait Cells {
    /// How long it is.
    fn capacity(&self) -> usize;

    /// Fills `into` from `at` on.
    fn read(&mut self, at: usize, into: &mut [u8]);

    /// Puts bytes at `at`, whatever was there.
    fn write(&mut self, at: usize, bytes: &[u8]);
}

/// NOR flash made of such memory.
#[derive(Debug)]
pub struct RuledFlash<C> {
    cells: C,
    power: Power,
}

impl<C: Cells> RuledFlash<C> {
    /// The flash of a board whose power may fail.
    pub const fn new(cells: C, power: Power) -> Self {
        Self { cells, power }
    }

    /// Operations since power came.
    pub fn operations(&self) -> u32 {
        self.power.operations()
    }

    fn is_blank(&mut self, at: usize, len: usize) -> bool {
        let mut piece = [0; PIECE_LEN];
        (at..at + len).step_by(PIECE_LEN).all(|from| {
            let found = &mut piece[..PIECE_LEN.min(at + len - from)];
            self.cells.read(from, found);
            found.iter().all(|byte| *byte == 0xff)
        })
    }

    fn erase_sector(&mut self, at: usize) {
        let cut = self.power.next();
        if let Some(cut) = cut {
            cut.tear_erase(&mut self.cells, at);
        }
        for from in (at..at + ERASE_LEN).step_by(PIECE_LEN) {
            self.cells.write(from, &[0xff; PIECE_LEN]);
        }
    }
}

/// A read beyond the end. All else that can go wrong is a broken rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, defmt::Format)]
pub struct BeyondEnd;

impl NorFlashError for BeyondEnd {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::OutOfBounds
    }
}

impl<C> ErrorType for RuledFlash<C> {
    type Error = BeyondEnd;
}

impl<C: Cells> ReadNorFlash for RuledFlash<C> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        check_read(self, offset, bytes.len()).map_err(|_| BeyondEnd)?;
        self.cells.read(offset as usize, bytes);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.cells.capacity()
    }
}

impl<C: Cells> NorFlash for RuledFlash<C> {
    const WRITE_SIZE: usize = WRITE_LEN;
    const ERASE_SIZE: usize = ERASE_LEN;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        let checked = check_erase(self, from, to);
        assert!(checked.is_ok(), "flash rule broken: erase of {from:#x}..{to:#x}");
        for sector in (from as usize..to as usize).step_by(ERASE_LEN) {
            self.erase_sector(sector);
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        let (at, len) = (offset as usize, bytes.len());
        let checked = check_write(self, offset, len);
        assert!(checked.is_ok(), "flash rule broken: program of {len} bytes at {offset:#x}");
        assert!(self.is_blank(at, len), "flash rule broken: program of what is not blank at {offset:#x}");
        if let Some(cut) = self.power.next() {
            cut.tear_program(&mut self.cells, at, bytes);
        }
        self.cells.write(at, bytes);
        Ok(())
    }
}
