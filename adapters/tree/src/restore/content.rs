//! The bytes of a file that is being restored: runs of zeros become holes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Shortest run of zeros that becomes a hole, and its alignment.
const HOLE_LEN: usize = 4096;

static ZEROS: [u8; HOLE_LEN] = [0; HOLE_LEN];

/// A new file that is written from front to back.
pub(super) struct FileContent {
    file: File,
    len: u64,
    position: u64,
    /// First byte behind the last that was written: if it is not the end, a hole is.
    written: u64,
}

impl FileContent {
    /// `file` is empty and will have `len` bytes.
    pub(super) const fn new(file: File, len: u64) -> Self {
        Self { file, len, position: 0, written: 0 }
    }

    /// Appends bytes.
    pub(super) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let data = self.data_len(bytes);
            if data > 0 {
                self.file.write_all_at(&bytes[..data], self.position)?;
                self.position += data as u64;
                self.written = self.position;
                bytes = &bytes[data..];
            }
            let zeros = self.zeros_len(bytes);
            self.position += zeros as u64;
            bytes = &bytes[zeros..];
        }
        Ok(())
    }

    /// Gives the file its length.
    pub(super) fn finish(self) -> io::Result<File> {
        if self.written != self.len {
            self.file.set_len(self.len)?;
        }
        Ok(self.file)
    }

    /// How many bytes come before the next block of zeros.
    fn data_len(&self, bytes: &[u8]) -> usize {
        let mut at = self.until_block().min(bytes.len());
        while at < bytes.len() && !is_zero_block(&bytes[at..]) {
            at = bytes.len().min(at + HOLE_LEN);
        }
        at
    }

    /// How many bytes are blocks of zeros.
    fn zeros_len(&self, bytes: &[u8]) -> usize {
        bytes.chunks_exact(HOLE_LEN).take_while(|block| is_zero_block(block)).count() * HOLE_LEN
    }

    /// Bytes until the next block begins.
    const fn until_block(&self) -> usize {
        (HOLE_LEN - (self.position % HOLE_LEN as u64) as usize) % HOLE_LEN
    }
}

fn is_zero_block(bytes: &[u8]) -> bool {
    bytes.get(..HOLE_LEN).is_some_and(|block| *block == ZEROS)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};

    use super::*;

    #[test]
    fn any_split_writes_the_same() {
        let mut expected = vec![7; 3 * HOLE_LEN + 100];
        expected[HOLE_LEN - 10..2 * HOLE_LEN + 10].fill(0);
        expected.extend([0; 2 * HOLE_LEN]);
        for piece in [1, 100, HOLE_LEN - 1, HOLE_LEN, HOLE_LEN + 1, 5 * HOLE_LEN] {
            let mut content = FileContent::new(tempfile::tempfile().unwrap(), expected.len() as u64);
            expected.chunks(piece).for_each(|piece| content.write(piece).unwrap());
            let mut file = content.finish().unwrap();
            let mut found = Vec::new();
            file.rewind().unwrap();
            file.read_to_end(&mut found).unwrap();
            assert!(found == expected, "pieces of {piece}");
        }
    }
}
