//! A blob to be read once from front to back: a file, a block device, or whatever comes through a pipe.
//!
//! Holes are told as such and not read.

use core::ops::Range;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use crate::disk::{Disk, DiskFile, FileKind};

/// What came from an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// So many bytes, at least one, are in the buffer.
    Data(usize),
    /// This many zeros follow that need not be read.
    Hole(u64),
}

/// A blob being read.
pub struct Input(Source);

enum Source {
    Positioned(Positioned),
    Stream(Box<dyn Read + Send>),
}

/// A file or device, read up to the length it had at first.
struct Positioned {
    file: Places,
    len: u64,
    at: u64,
    /// The stretch of data at or after `at`, once looked for.
    data: Range<u64>,
}

/// An input that has its bytes at places, to be read by any number of threads in any order.
#[derive(Clone)]
pub struct Places(Arc<dyn DiskFile>);

impl Places {
    /// Fills `buffer` with the bytes from `offset` on; holes are zeros.
    ///
    /// # Errors
    /// The system's own; `InvalidData` if the file has become too short for that.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => changed(),
            _ => error,
        })
    }
}

impl Input {
    /// Opens a file, block device or FIFO. Waits for a writer if it is a FIFO.
    ///
    /// # Errors
    /// The system's own; `InvalidInput` for a directory, character device or socket.
    pub fn open(disk: &dyn Disk, path: &Path) -> io::Result<Self> {
        let file = disk.open(path)?;
        match file.kind() {
            FileKind::File | FileKind::BlockDevice => {
                let len = file.len()?;
                let file = Places(Arc::from(file));
                Ok(Self(Source::Positioned(Positioned { file, len, at: 0, data: 0..0 })))
            }
            FileKind::Fifo => Ok(Self::from_reader(file.into_reader())),
            kind => Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{kind} cannot be an input"))),
        }
    }

    /// Reads whatever comes, to its end.
    #[must_use]
    pub fn from_reader(reader: Box<dyn Read + Send>) -> Self {
        Self(Source::Stream(reader))
    }

    /// Length of the blob in bytes, where it is known beforehand.
    #[must_use]
    pub const fn len(&self) -> Option<u64> {
        match &self.0 {
            Source::Positioned(file) => Some(file.len),
            Source::Stream(_) => None,
        }
    }

    /// Whether the blob is known beforehand to be empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// Fills `buffer` from its start until it is full or a hole or the end comes, or reports a hole; `None` at
    /// the end. The buffer is the caller's to reuse: what is behind the bytes read is left as it was.
    ///
    /// # Errors
    /// The system's own; `InvalidData` if the file has another length than at first.
    ///
    /// # Panics
    /// If `buffer` is empty: a programmer's error.
    pub fn next(&mut self, buffer: &mut [u8]) -> io::Result<Option<Extent>> {
        assert!(!buffer.is_empty(), "no room to read into");
        match &mut self.0 {
            Source::Positioned(file) => file.next(buffer),
            Source::Stream(reader) => {
                let len = fill(reader, buffer)?;
                Ok((len > 0).then_some(Extent::Data(len)))
            }
        }
    }
}

impl Input {
    /// The places of its bytes; `None` for a stream.
    #[must_use]
    pub fn places(&self) -> Option<Places> {
        match &self.0 {
            Source::Positioned(file) => Some(file.file.clone()),
            Source::Stream(_) => None,
        }
    }

    /// As [`Input::next`] with a buffer of `len_max` bytes, but passes over data without reading it: whoever has
    /// the [`Places`] reads it when it likes.
    ///
    /// # Errors
    /// As `next`; `InvalidInput` for a stream.
    pub fn pass(&mut self, len_max: usize) -> io::Result<Option<Extent>> {
        match &mut self.0 {
            Source::Positioned(file) => file.pass(len_max),
            Source::Stream(_) => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}

impl Positioned {
    fn next(&mut self, buffer: &mut [u8]) -> io::Result<Option<Extent>> {
        let start = self.at;
        let extent = self.pass(buffer.len())?;
        if let Some(Extent::Data(len)) = extent {
            self.file.read_exact_at(&mut buffer[..len], start)?;
        }
        Ok(extent)
    }

    fn pass(&mut self, len_max: usize) -> io::Result<Option<Extent>> {
        if self.at == self.len {
            self.check_len()?;
            return Ok(None);
        }
        if self.data.end <= self.at {
            let data = self.file.0.next_data(self.at)?.unwrap_or(self.len..self.len);
            self.data = data.start.min(self.len)..data.end.min(self.len);
        }
        if self.at < self.data.start {
            let hole = self.data.start - self.at;
            self.at = self.data.start;
            return Ok(Some(Extent::Hole(hole)));
        }
        // Not longer than `len_max`, so it fits `usize`.
        let len = (self.data.end - self.at).min(len_max as u64) as usize;
        self.at += len as u64;
        Ok(Some(Extent::Data(len)))
    }

    fn check_len(&self) -> io::Result<()> {
        if self.file.0.len()? == self.len { Ok(()) } else { Err(changed()) }
    }
}

/// Reads until `buffer` is full or the stream ends; says how much came.
fn fill(stream: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match stream.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(len) => filled += len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn changed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "changed its length while it was read")
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::FileExt as _;

    use super::*;
    use crate::HostDisk;

    fn rebuild(input: &mut Input, len_max: usize) -> io::Result<(Vec<u8>, u64)> {
        let (mut blob, mut holes, mut buffer) = (Vec::new(), 0, vec![0xee; len_max]);
        while let Some(extent) = input.next(&mut buffer)? {
            match extent {
                Extent::Data(len) => blob.extend_from_slice(&buffer[..len]),
                Extent::Hole(len) => {
                    holes += len;
                    blob.resize(blob.len() + len as usize, 0);
                }
            }
        }
        Ok((blob, holes))
    }

    #[test]
    fn defect_73_holes_are_skipped() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sparse");
        let file = File::create(&path).unwrap();
        file.write_all_at(&[7; 5000], 1 << 20).unwrap();
        file.set_len(3 << 20).unwrap();
        let mut input = Input::open(&HostDisk, &path).unwrap();
        assert_eq!(input.len(), Some(3 << 20));
        let (blob, holes) = rebuild(&mut input, 1000).unwrap();
        assert_eq!(blob, fs::read(&path).unwrap());
        assert!(holes >= (3 << 20) - 4 * 4096, "only {holes} bytes of holes were seen");
    }

    #[test]
    fn a_file_that_changes_its_length_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        for changed_len in [0, 99, 101] {
            fs::write(&path, [1; 100]).unwrap();
            let mut input = Input::open(&HostDisk, &path).unwrap();
            input.next(&mut [0; 10]).unwrap();
            File::options().write(true).open(&path).unwrap().set_len(changed_len).unwrap();
            let error = rebuild(&mut input, 60).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{changed_len}");
        }
    }

    #[test]
    fn what_is_passed_over_is_read_at_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, (0..=200).collect::<Vec<u8>>()).unwrap();
        let mut input = Input::open(&HostDisk, &path).unwrap();
        let places = input.places().unwrap();
        assert_eq!(input.pass(150).unwrap(), Some(Extent::Data(150)));
        let mut buffer = [0; 51];
        assert_eq!(input.next(&mut buffer).unwrap(), Some(Extent::Data(51)), "it goes on behind");
        assert_eq!((buffer[0], buffer[50]), (150, 200));
        places.read_exact_at(&mut buffer, 100).unwrap();
        assert_eq!((buffer[0], buffer[50]), (100, 150));
        let error = places.read_exact_at(&mut buffer, 151).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
        assert_eq!(input.pass(1).unwrap(), None);
        let mut stream = Input::from_reader(Box::new(io::empty()));
        assert!(stream.places().is_none() && stream.pass(1).is_err());
    }

    #[test]
    fn a_stream_is_read_to_its_end() {
        let mut input = Input::from_reader(Box::new(io::Cursor::new(vec![3; 1001])));
        assert_eq!(input.len(), None);
        assert_eq!(rebuild(&mut input, 100).unwrap(), (vec![3; 1001], 0));
    }

    #[test]
    fn a_fifo_is_read_and_a_directory_refused() {
        let directory = tempfile::tempdir().unwrap();
        let error = Input::open(&HostDisk, directory.path()).err().unwrap();
        assert!(error.to_string().contains("a directory cannot be an input"), "{error}");
        let path = directory.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let writer = {
            let path = path.clone();
            std::thread::spawn(move || fs::write(path, [5; 70_000]).unwrap())
        };
        let mut input = Input::open(&HostDisk, &path).unwrap();
        assert_eq!(rebuild(&mut input, 4096).unwrap().0, vec![5; 70_000]);
        writer.join().unwrap();
    }
}
