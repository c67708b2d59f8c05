//! Where the bytes of an archive are: behind an index, or in a file.

use core::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use desync_core::block_io::BlockRead;
use desync_engine::{Blob, Error, ReadAhead};
use desync_files::DiskFile;
use fuser::{Errno, ReplyData};

use crate::reading;

/// The bytes of an archive. Clones are the same bytes.
#[derive(Clone)]
pub enum Content {
    /// Chunks of an index.
    Blob(Arc<Blob>),
    /// A file of this machine, and how its owner calls it.
    File(Arc<dyn DiskFile>, Arc<str>),
}

impl Content {
    /// How many bytes.
    ///
    /// # Errors
    /// The file's.
    pub(super) fn len(&self) -> Result<u64, Error> {
        match self {
            Self::Blob(blob) => Ok(blob.len()),
            Self::File(file, path) => file.len().map_err(Error::file("read", path.as_ref().as_ref())),
        }
    }

    /// Runs what may have to wait for bytes.
    pub(super) fn run(&self, task: impl FnOnce() + Send + 'static) {
        match self {
            Self::Blob(blob) => blob.run(task),
            Self::File(..) => {
                // A panic is an error for who asked, not the end of the thread that takes requests.
                if catch_unwind(AssertUnwindSafe(task)).is_err() {
                    log::error!("a request failed unexpectedly");
                }
            }
        }
    }

    /// Has bytes fetched that will be needed soon.
    pub(super) fn want(&self, range: Range<u64>) {
        if let Self::Blob(blob) = self {
            blob.want(range);
        }
    }

    /// Answers a read of `range`.
    pub(super) fn answer(&self, reader: &ReadAhead, range: Range<u64>, reply: ReplyData) {
        match self {
            Self::Blob(blob) => reading::answer(blob, Some(reader), range, reply),
            Self::File(..) => {
                let mut bytes = vec![0; (range.end - range.start) as usize];
                match self.clone().read(range.start, &mut bytes) {
                    Ok(()) => reply.data(&bytes),
                    Err(error) => {
                        log::warn!("{error}");
                        reply.error(Errno::EIO);
                    }
                }
            }
        }
    }
}

impl BlockRead for Content {
    type Error = Error;

    fn read(&mut self, offset: u64, buf: &mut [u8]) -> Result<(), Error> {
        match self {
            Self::Blob(blob) => {
                let bytes = blob.read(offset..offset.saturating_add(buf.len() as u64))?;
                let bytes = bytes.as_ref();
                if bytes.len() != buf.len() {
                    return Err(Error::Index(format!("there are no {} bytes at {offset}", buf.len())));
                }
                buf.copy_from_slice(bytes);
                Ok(())
            }
            Self::File(file, path) => {
                file.read_exact_at(buf, offset).map_err(Error::file("read", path.as_ref().as_ref()))
            }
        }
    }
}
