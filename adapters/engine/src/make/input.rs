//! What `make` reads: bytes and holes, in order.

use std::io::Read;
use std::path::{Path, PathBuf};

pub use desync_files::Extent;
use desync_files::{Disk, Input};

use crate::Error;

/// A blob to be read once, from front to back.
pub trait Extents {
    /// Length of the blob in bytes, where it is known beforehand.
    fn blob_len(&self) -> Option<u64>;

    /// Fills some of `buffer`, which is not empty, from its start, or reports a hole; `None` at the end.
    ///
    /// # Errors
    /// If reading fails, or the input turns out to have another length than it said.
    fn next(&mut self, buffer: &mut [u8]) -> Result<Option<Extent>, Error>;
}

/// A file, block device or stream that errors name.
pub struct FileInput {
    input: Input,
    path: PathBuf,
}

impl FileInput {
    /// Opens a file, block device or FIFO.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn open(disk: &dyn Disk, path: &Path) -> Result<Self, Error> {
        let input = Input::open(disk, path).map_err(Error::file("open", path))?;
        Ok(Self { input, path: path.to_owned() })
    }

    /// Reads whatever comes, to its end; errors call it `name`.
    #[must_use]
    pub fn from_reader(reader: Box<dyn Read + Send>, name: &Path) -> Self {
        Self { input: Input::from_reader(reader), path: name.to_owned() }
    }
}

impl Extents for FileInput {
    fn blob_len(&self) -> Option<u64> {
        self.input.len()
    }

    fn next(&mut self, buffer: &mut [u8]) -> Result<Option<Extent>, Error> {
        self.input.next(buffer).map_err(Error::file("read", &self.path))
    }
}

/// Bytes in memory as an input.
impl Extents for &[u8] {
    fn blob_len(&self) -> Option<u64> {
        Some(self.len() as u64)
    }

    fn next(&mut self, buffer: &mut [u8]) -> Result<Option<Extent>, Error> {
        let (now, later) = self.split_at(self.len().min(buffer.len()));
        buffer[..now.len()].copy_from_slice(now);
        *self = later;
        Ok((!now.is_empty()).then_some(Extent::Data(now.len())))
    }
}
