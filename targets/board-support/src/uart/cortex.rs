//! Waiting and time on a Cortex-M: `wfi`, woken by the UART's interrupt and by SysTick each millisecond.
#![allow(unsafe_code, reason = "an interrupt is unmasked, for as long as it cannot be taken")]

use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{NVIC, SYST};
use cortex_m_rt::exception;

static MILLISECONDS: AtomicU32 = AtomicU32::new(0);

#[exception]
fn SysTick() {
    MILLISECONDS.fetch_add(1, Ordering::Relaxed);
}

/// Starts the clock of a processor that runs at so many hertz.
pub fn start_clock(mut syst: SYST, hertz: u32) {
    syst.set_clock_source(SystClkSource::Core);
    syst.set_reload(hertz / 1000 - 1);
    syst.clear_current();
    syst.enable_interrupt();
    syst.enable_counter();
}

/// Milliseconds since the clock was started; goes round after 49 days.
pub(super) fn now() -> u64 {
    MILLISECONDS.load(Ordering::Relaxed).into()
}

/// The number of a UART's interrupt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Irq(pub(super) u16);

// SAFETY: whoever makes one takes the number from the board's memory map; it stays the same.
unsafe impl InterruptNumber for Irq {
    fn number(self) -> u16 {
        self.0
    }
}

/// Sleeps until the UART's interrupt or any other is pending, unless there is something to do already.
///
/// No handler is needed: interrupts cannot be taken meanwhile, and the UART's is masked again afterwards.
pub(super) fn sleep(irq: Irq, is_ready: impl FnOnce() -> bool) {
    cortex_m::interrupt::free(|_| {
        NVIC::unpend(irq);
        // SAFETY: within this critical section no interrupt is taken, so nobody's is broken.
        unsafe { NVIC::unmask(irq) };
        if !is_ready() {
            cortex_m::asm::wfi();
        }
        NVIC::mask(irq);
    });
}
