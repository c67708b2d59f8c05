//! What `make` reads: bytes and holes, in order; of files, the bytes by whoever needs them.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use desync_files::Extent;
use desync_files::{Disk, Input, Places};

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

    /// Reads the blob at any place, from any thread; `None` if it can only be read in order. Where there is one, the
    /// workers read for themselves: bytes that another processor has just read are slow to get at, and one reader for
    /// all would be the slowest of them.
    fn reader(&self) -> Option<Arc<dyn ReadAt>> {
        None
    }

    /// As [`Extents::next`] with a buffer of `len_max` bytes, but passes over data without reading it.
    ///
    /// # Errors
    /// As `next`; always, if there is no [`Extents::reader`] to read what was passed over.
    fn pass(&mut self, len_max: usize) -> Result<Option<Extent>, Error> {
        Err(Error::Unsupported(format!(
            "internal error: {len_max} bytes passed over that only come in order"
        )))
    }
}

/// Bytes at places, for any number of threads.
pub trait ReadAt: Send + Sync {
    /// Fills `buffer` with the blob's bytes from `offset` on; holes are zeros.
    ///
    /// # Errors
    /// If reading fails, or the blob has become shorter.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), Error>;
}

/// A file, block device or stream that errors name.
pub struct FileInput {
    input: Input,
    path: PathBuf,
    /// None for a stream.
    reader: Option<Arc<dyn ReadAt>>,
}

/// The bytes of a file that errors name.
struct FileReader {
    places: Places,
    path: PathBuf,
}

impl FileInput {
    /// Opens a file, block device or FIFO.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn open(disk: &dyn Disk, path: &Path) -> Result<Self, Error> {
        Ok(Self::new(Input::open(disk, path).map_err(Error::file("open", path))?, path))
    }

    /// Reads whatever comes, to its end; errors call it `name`.
    #[must_use]
    pub fn from_reader(reader: Box<dyn Read + Send>, name: &Path) -> Self {
        Self::new(Input::from_reader(reader), name)
    }

    fn new(input: Input, path: &Path) -> Self {
        let reader = input.places().map(|places| {
            let reader: Arc<dyn ReadAt> = Arc::new(FileReader { places, path: path.to_owned() });
            reader
        });
        Self { input, path: path.to_owned(), reader }
    }
}

impl Extents for FileInput {
    fn blob_len(&self) -> Option<u64> {
        self.input.len()
    }

    fn next(&mut self, buffer: &mut [u8]) -> Result<Option<Extent>, Error> {
        self.input.next(buffer).map_err(Error::file("read", &self.path))
    }

    fn reader(&self) -> Option<Arc<dyn ReadAt>> {
        self.reader.clone()
    }

    fn pass(&mut self, len_max: usize) -> Result<Option<Extent>, Error> {
        self.input.pass(len_max).map_err(Error::file("read", &self.path))
    }
}

impl ReadAt for FileReader {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), Error> {
        self.places.read_exact_at(buffer, offset).map_err(Error::file("read", &self.path))
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
