//! Serial lines: what a board's UART must do, the kinds of them, and the link's port over any.

#[cfg(feature = "mps2")]
pub mod cmsdk;
#[cfg(target_arch = "arm")]
pub mod cortex;
#[cfg(feature = "riscv-virt")]
pub mod ns16550;
mod port;
#[cfg(feature = "stm32f4")]
pub mod stm32;

pub use port::UartPort;

/// A UART and the time.
pub trait Uart {
    /// A byte that has come, if one has.
    fn receive(&mut self) -> Option<u8>;

    /// Sends a byte; waits until there is room for it.
    fn send(&mut self, byte: u8);

    /// Sleeps until a byte has come or a millisecond has passed; may return sooner.
    fn wait(&mut self);

    /// Milliseconds since the start.
    fn now(&self) -> u64;
}
