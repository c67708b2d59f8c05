//! The link's port over a UART.

use core::convert::Infallible;

use desync_core::update::LinkPort;

use super::Uart;

/// A [`Uart`] that a link is spoken over.
#[derive(Debug)]
pub struct UartPort<U>(pub U);

impl<U: Uart> LinkPort for UartPort<U> {
    type Error = Infallible;

    fn now(&mut self) -> u64 {
        self.0.now()
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        bytes.iter().for_each(|byte| self.0.send(*byte));
        Ok(())
    }

    async fn receive(&mut self, into: &mut [u8], deadline: u64) -> Result<usize, Infallible> {
        let mut len = 0;
        while len < into.len() {
            match self.0.receive() {
                Some(byte) => {
                    into[len] = byte;
                    len += 1;
                }
                None if len > 0 || self.0.now() >= deadline => break,
                None => self.0.wait(),
            }
        }
        Ok(len)
    }
}
