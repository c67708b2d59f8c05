//! Power that fails at a chosen operation, and what that leaves behind.

use core::sync::atomic::{AtomicU32, Ordering};

use semihosting::process;

use super::{Cells, ERASE_LEN, WRITE_LEN};

/// The emulator's exit code when power was cut.
const EXIT_CODE: i32 = 75;

/// At which operation power fails, counted from 1.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// Which.
    pub operation: u32,
    /// Whether a part of it is done; nothing of it otherwise.
    pub torn: bool,
}

/// Counts operations on flash.
#[derive(Debug)]
pub struct Power {
    done: &'static AtomicU32,
    cut: Option<Cut>,
}

impl Power {
    /// Power that fails as it is told. `done` counts since power came, through every program of the board.
    #[must_use]
    pub const fn new(done: &'static AtomicU32, cut: Option<Cut>) -> Self {
        Self { done, cut }
    }

    /// Operations since power came.
    #[must_use]
    pub fn operations(&self) -> u32 {
        self.done.load(Ordering::Relaxed)
    }

    /// Counts an operation; gives the cut if it is for this one.
    pub(super) fn next(&self) -> Option<Cut> {
        let number = self.done.load(Ordering::Relaxed).wrapping_add(1);
        self.done.store(number, Ordering::Relaxed);
        self.cut.filter(|cut| cut.operation == number)
    }
}

impl Cut {
    /// Erases the front of a sector, disturbs the rest, and ends.
    pub(super) fn tear_erase(self, cells: &mut impl Cells, at: usize) -> ! {
        let mut random = Random(self.operation);
        let erased = random.next() as usize % ERASE_LEN;
        let end = if self.torn { at + ERASE_LEN } else { at };
        for byte in at..end {
            let mut cell = [0xff];
            if byte - at >= erased {
                cells.read(byte, &mut cell);
                cell[0] |= random.next() as u8;
            }
            cells.write(byte, &cell);
        }
        process::exit(EXIT_CODE)
    }

    /// Programs some units, some bits of the next one, and ends.
    pub(super) fn tear_program(self, cells: &mut impl Cells, at: usize, bytes: &[u8]) -> ! {
        let mut random = Random(self.operation);
        if self.torn {
            let whole = random.next() as usize % (bytes.len() / WRITE_LEN) * WRITE_LEN;
            cells.write(at, &bytes[..whole]);
            let mut unit = [0xff; WRITE_LEN];
            for (cell, byte) in unit.iter_mut().zip(&bytes[whole..]) {
                *cell = byte | random.next() as u8;
            }
            cells.write(at + whole, &unit);
        }
        process::exit(EXIT_CODE)
    }
}

/// Bits that differ from cut to cut and are the same each time (xorshift, G. Marsaglia 2003).
struct Random(u32);

impl Random {
    fn next(&mut self) -> u32 {
        let mut bits = self.0 | 1 << 31;
        bits ^= bits << 13;
        bits ^= bits >> 17;
        bits ^= bits << 5;
        self.0 = bits;
        bits >> 8
    }
}
