//! A file on the host, reached by semihosting: for machines without memory that outlives the emulator.

use semihosting::fs::File;
use semihosting::io::{Read as _, Seek as _, SeekFrom, Write as _};

use super::Cells;

/// `flash.bin` in the folder the emulator was started in. What cannot be read or written is a panic: a board
/// without its flash has nothing to do.
#[derive(Debug)]
pub struct HostFile {
    file: File,
    len: usize,
}

impl HostFile {
    /// Opens it; the host has made it as long as the flash.
    #[must_use]
    pub fn open() -> Self {
        let mut file = File::options().read(true).write(true).open(c"flash.bin").expect("flash.bin opens");
        let len = file.seek(SeekFrom::End(0)).expect("flash.bin has a length") as usize; // below 4 GiB
        Self { file, len }
    }

    fn go_to(&mut self, at: usize) {
        self.file.seek(SeekFrom::Start(at as u64)).expect("flash.bin has this place");
    }
}

impl Cells for HostFile {
    fn capacity(&self) -> usize {
        self.len
    }

    fn read(&mut self, at: usize, into: &mut [u8]) {
        self.go_to(at);
        self.file.read_exact(into).expect("flash.bin is read");
    }

    fn write(&mut self, at: usize, bytes: &[u8]) {
        self.go_to(at);
        self.file.write_all(bytes).expect("flash.bin is written");
    }
}
