//! The 16550 UART of QEMU's RISC-V machine `virt`, polled, and its clock.
//!
//! Registers of a byte: 0 data, 5 line status (bit 0: a byte has come, bit 5: there is room to send). The
//! machine has one UART, and the link has it. Source: National Semiconductor PC16550D; QEMU hw/riscv/virt.c.
#![allow(unsafe_code, reason = "registers are reached by their addresses")]

use core::ptr;

use super::Uart;

const UART: usize = 0x1000_0000;
const DATA: *mut u8 = UART as *mut u8;
const LINE_STATUS: *const u8 = (UART + 5) as *const u8;

/// Low and high half of the time since the start, in tenths of a microsecond. Source: QEMU, `virt`'s CLINT.
const TIME: [*const u32; 2] = [0x0200_bff8 as *const u32, 0x0200_bffc as *const u32];
const TICKS_PER_MS: u64 = 10_000;

/// The machine's UART.
#[derive(Debug)]
pub struct Ns16550(());

impl Ns16550 {
    /// As the machine starts it.
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }

    fn status() -> u8 {
        // SAFETY: a register that this machine always maps; reading it changes nothing that is used here.
        unsafe { ptr::read_volatile(LINE_STATUS) }
    }
}

impl Default for Ns16550 {
    fn default() -> Self {
        Self::new()
    }
}

impl Uart for Ns16550 {
    fn receive(&mut self) -> Option<u8> {
        let has_come = Self::status() & 1 != 0;
        // SAFETY: a register that this machine always maps; nobody else reads it.
        has_come.then(|| unsafe { ptr::read_volatile(DATA) })
    }

    fn send(&mut self, byte: u8) {
        while Self::status() & 1 << 5 == 0 {}
        // SAFETY: as in `receive`.
        unsafe { ptr::write_volatile(DATA, byte) }
    }

    fn wait(&mut self) {
        core::hint::spin_loop();
    }

    fn now(&self) -> u64 {
        loop {
            // SAFETY: the clock's registers are always mapped, and reading them changes nothing.
            let [high, low, again] =
                [TIME[1], TIME[0], TIME[1]].map(|half| unsafe { ptr::read_volatile(half) });
            if high == again {
                return (u64::from(high) << 32 | u64::from(low)) / TICKS_PER_MS;
            }
        }
    }
}
