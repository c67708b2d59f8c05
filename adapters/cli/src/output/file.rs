//! Data into a file that was named in the place of stdout.
//!
//! A regular file appears under its name only when it is complete. Anything else, a FIFO or a device, gets
//! the data as it comes.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use desync_files::{Durability, HostDisk, Publication, PublicationWriter};

/// What the name of a file that is being written begins with.
const TEMPORARY_PREFIX: &str = ".tmp-output.";

/// A file written from beginning to end. Dropping it leaves a regular file as it was.
pub(crate) struct OutputFile {
    file: Inner,
    path: PathBuf,
}

enum Inner {
    Whole(PublicationWriter),
    AsItComes(BufWriter<File>),
}

impl OutputFile {
    /// Begins to write.
    ///
    /// # Errors
    /// If the path cannot be written to.
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
        let create = || -> io::Result<Inner> {
            if path.metadata().is_ok_and(|found| !found.is_file()) {
                let file = File::options().write(true).open(path)?;
                return Ok(Inner::AsItComes(BufWriter::with_capacity(64 << 10, file)));
            }
            let prefix = TEMPORARY_PREFIX.as_ref();
            let publication = Publication::create(Arc::new(HostDisk), path, prefix, Durability::Sync)?;
            Ok(Inner::Whole(publication.into_writer()))
        };
        let file = create().with_context(|| path.display().to_string())?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// The error of a write, said of this file: who writes may not know where it goes.
    fn named(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("{}: {error}", self.path.display()))
    }

    /// Writes what is buffered and makes a regular file appear. A drop would lose its error.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        let finished = match self.file {
            Inner::Whole(file) => file.publish(),
            Inner::AsItComes(mut file) => file.flush(),
        };
        finished.with_context(|| self.path.display().to_string())
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.file {
            Inner::Whole(file) => file.write(bytes),
            Inner::AsItComes(file) => file.write(bytes),
        };
        written.map_err(|error| self.named(&error))
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = match &mut self.file {
            Inner::Whole(file) => file.flush(),
            Inner::AsItComes(file) => file.flush(),
        };
        flushed.map_err(|error| self.named(&error))
    }
}
