//! The CMSDK UART, the kind that Arm's MPS2 boards have five of.
//!
//! Registers, 32 bits each: 0x0 DATA, 0x4 STATE (bit 0: the send buffer is full; bit 1: a byte has come),
//! 0x8 CTRL (bit 0: send, bit 1: receive, bit 3: interrupt when a byte comes), 0xc INTCLEAR (bit 1: that
//! interrupt), 0x10 BAUDDIV (at least 16). Source: Arm Cortex-M System Design Kit, APB UART.
#![allow(unsafe_code, reason = "registers are reached by their addresses")]

use core::ptr;

use super::Uart;
use super::cortex::{Irq, now, sleep};

/// The first two UARTs. Source: Arm application notes AN385 and AN386, memory map.
const UART0: usize = 0x4000_4000;
const UART1: usize = 0x4000_5000;
/// The interrupt of the first when a byte comes. Source: the same, interrupts.
const UART0_RECEIVE: Irq = Irq(0);

const DATA: usize = 0x0;
const STATE: usize = 0x4;
const CTRL: usize = 0x8;
const INTCLEAR: usize = 0xc;
const BAUDDIV: usize = 0x10;

fn read(at: usize) -> u32 {
    // SAFETY: `at` is a register of a UART on every board that links this file, aligned and always mapped.
    unsafe { ptr::read_volatile(at as *const u32) }
}

fn write(at: usize, value: u32) {
    // SAFETY: as in `read`; nobody but this file uses these UARTs.
    unsafe { ptr::write_volatile(at as *mut u32, value) }
}

fn put(uart: usize, byte: u8) {
    while read(uart + STATE) & 1 != 0 {}
    write(uart + DATA, byte.into());
}

/// The first UART, both ways.
#[derive(Debug)]
pub struct CmsdkUart(());

impl CmsdkUart {
    /// Sets it up. Done twice, the second finds what the first left.
    #[must_use]
    pub fn uart0() -> Self {
        write(UART0 + BAUDDIV, 16);
        write(UART0 + CTRL, 0b1011);
        Self(())
    }
}

impl Uart for CmsdkUart {
    fn receive(&mut self) -> Option<u8> {
        if read(UART0 + STATE) & 2 == 0 {
            return None;
        }
        let byte = read(UART0 + DATA) as u8; // the upper bits are reserved
        write(UART0 + INTCLEAR, 2);
        Some(byte)
    }

    fn send(&mut self, byte: u8) {
        put(UART0, byte);
    }

    fn wait(&mut self) {
        sleep(UART0_RECEIVE, || read(UART0 + STATE) & 2 != 0);
    }

    fn now(&self) -> u64 {
        now()
    }
}

/// Sends bytes of the log over the second UART, waiting for each to go.
pub(crate) fn send_log(bytes: &[u8]) {
    write(UART1 + BAUDDIV, 16);
    write(UART1 + CTRL, 1);
    bytes.iter().for_each(|byte| put(UART1, *byte));
}
