//! The USART of an STM32F4. Clocks, pins and speed are as QEMU's machine has them from the start: a real
//! board sets them up before.
//!
//! Registers, 32 bits each: 0x0 SR (bit 5: a byte has come, bit 7: there is room to send), 0x4 DR, 0xc CR1
//! (bit 2: receive, bit 3: send, bit 5: interrupt when a byte comes, bit 13: on). Source: ST RM0090, USART.
#![allow(unsafe_code, reason = "registers are reached by their addresses")]

use core::ptr;

use super::Uart;
use super::cortex::{Irq, now, sleep};

/// The first two. Source: ST RM0090, memory map.
const USART1: usize = 0x4001_1000;
const USART2: usize = 0x4000_4400;
/// The first one's interrupt. Source: ST RM0090, vector table.
const USART1_IRQ: Irq = Irq(37);

const SR: usize = 0x0;
const DR: usize = 0x4;
const CR1: usize = 0xc;

const COME: u32 = 1 << 5;
const ROOM: u32 = 1 << 7;

fn read(at: usize) -> u32 {
    // SAFETY: `at` is a register of a USART on every board that links this file, aligned and always mapped.
    unsafe { ptr::read_volatile(at as *const u32) }
}

fn write(at: usize, value: u32) {
    // SAFETY: as in `read`; nobody but this file uses these USARTs.
    unsafe { ptr::write_volatile(at as *mut u32, value) }
}

fn put(usart: usize, byte: u8) {
    while read(usart + SR) & ROOM == 0 {}
    write(usart + DR, byte.into());
}

/// The first USART, both ways.
#[derive(Debug)]
pub struct Stm32Usart(());

impl Stm32Usart {
    /// Switches it on.
    #[must_use]
    pub fn usart1() -> Self {
        write(USART1 + CR1, 1 << 13 | 1 << 5 | 1 << 3 | 1 << 2);
        Self(())
    }
}

impl Uart for Stm32Usart {
    fn receive(&mut self) -> Option<u8> {
        let has_come = read(USART1 + SR) & COME != 0;
        has_come.then(|| read(USART1 + DR) as u8) // the upper bits are for parity
    }

    fn send(&mut self, byte: u8) {
        put(USART1, byte);
    }

    fn wait(&mut self) {
        sleep(USART1_IRQ, || read(USART1 + SR) & COME != 0);
    }

    fn now(&self) -> u64 {
        now()
    }
}

/// Sends bytes of the log over the second USART, waiting for each to go.
pub(crate) fn send_log(bytes: &[u8]) {
    write(USART2 + CR1, 1 << 13 | 1 << 3);
    bytes.iter().for_each(|byte| put(USART2, *byte));
}
