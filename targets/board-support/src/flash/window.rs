//! Memory that is mapped: the MPS2 boards' PSRAM, which the emulator keeps in a file.
#![allow(unsafe_code, reason = "memory is reached by its address")]

use core::ptr;

use super::Cells;

/// 16 MiB of PSRAM. Source: Arm application notes AN385 and AN386, memory map.
const PSRAM: usize = 0x2100_0000;
const LEN: usize = 16 << 20;

/// That memory.
#[derive(Debug)]
pub struct Window(());

impl Window {
    /// All of it. Nothing else may be placed there: no linker script of ours does.
    #[must_use]
    pub const fn psram() -> Self {
        Self(())
    }

    fn at(offset: usize, len: usize) -> *mut u8 {
        assert!(offset <= LEN && len <= LEN - offset, "beyond the PSRAM");
        (PSRAM + offset) as *mut u8
    }
}

impl Cells for Window {
    fn capacity(&self) -> usize {
        LEN
    }

    fn read(&mut self, at: usize, into: &mut [u8]) {
        let from = Self::at(at, into.len());
        // SAFETY: checked to lie in the PSRAM, where no Rust object lives; `into` lies elsewhere.
        unsafe { ptr::copy_nonoverlapping(from, into.as_mut_ptr(), into.len()) }
    }

    fn write(&mut self, at: usize, bytes: &[u8]) {
        let to = Self::at(at, bytes.len());
        for (offset, byte) in bytes.iter().enumerate() {
            // SAFETY: as in `read`; volatile, since the emulator may be killed between any two stores.
            unsafe { ptr::write_volatile(to.add(offset), *byte) }
        }
    }
}
