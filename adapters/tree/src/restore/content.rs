//! The bytes of a file that is being restored: runs of zeros become holes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Unit of holes, and their alignment.
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

    /// Appends bytes. What is not written is zero, so zeros need no writing, whatever pieces a block comes in.
    pub(super) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let data = self.run_len(bytes, false);
            if data > 0 {
                self.file.write_all_at(&bytes[..data], self.position)?;
                self.position += data as u64;
                self.written = self.position;
                bytes = &bytes[data..];
            }
            let zeros = self.run_len(bytes, true);
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

    /// How many bytes at the front are in blocks, or parts of blocks, that are all zeros, or not.
    fn run_len(&self, bytes: &[u8], zeros: bool) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            let to_boundary = HOLE_LEN - ((self.position + at as u64) % HOLE_LEN as u64) as usize;
            let end = bytes.len().min(at + to_boundary);
            if (bytes[at..end] == ZEROS[..end - at]) != zeros {
                break;
            }
            at = end;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};
    use std::os::unix::fs::MetadataExt;

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
            // Of six blocks and a bit, two and a bit are zeros from end to end.
            let blocks = file.metadata().unwrap().blocks() * 512;
            assert!(blocks <= 4 * HOLE_LEN as u64, "pieces of {piece}: {blocks} bytes on disk");
        }
    }
}
