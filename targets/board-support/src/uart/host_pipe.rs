//! A line of two pipes on the host, reached by semihosting: bytes come many at once, so a sweep of hundreds of
//! updates takes no longer than it must. Nothing is ever lost on it.

use core::convert::Infallible;

use desync_core::update::LinkPort;
use semihosting::fs::File;
use semihosting::io::{Read as _, Write as _};

/// `to-board` and `to-host` in the folder the emulator was started in.
#[derive(Debug)]
pub struct HostPipe {
    to_board: File,
    to_host: File,
}

impl HostPipe {
    /// Opens both. That they are there, is for the test to see to.
    #[must_use]
    pub fn open() -> Self {
        let to_host =
            File::options().write(true).create(true).truncate(true).open(c"to-host").expect("to-host opens");
        let to_board = File::open(c"to-board").expect("to-board opens");
        Self { to_board, to_host }
    }
}

impl LinkPort for HostPipe {
    type Error = Infallible;

    /// Time stands still: an answer comes, or the test ends it all.
    fn now(&mut self) -> u64 {
        0
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.to_host.write_all(bytes).expect("to-host is written");
        Ok(())
    }

    async fn receive(&mut self, into: &mut [u8], _: u64) -> Result<usize, Infallible> {
        let len = self.to_board.read(into).expect("to-board is read");
        assert!(len > 0, "the host has gone");
        Ok(len)
    }
}
