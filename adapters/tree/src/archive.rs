//! A tree into an archive.

use std::io::Write;
use std::path::{Path, PathBuf};

use desync_core::Limits;
use desync_core::format::FeatureFlags;
use desync_core::format::catar::{CatarError, Encoder, Node};

use crate::path::TreePath;
use crate::{Error, Sink};

/// Bytes gathered before they are written.
const BUFFER_LEN: usize = 256 << 10;

/// Writes a `.catar`.
pub struct ArchiveWriter<W> {
    encoder: Encoder,
    buffer: Vec<u8>,
    out: W,
    name: PathBuf,
    path: TreePath,
}

impl<W: Write> ArchiveWriter<W> {
    /// Begins an archive of what `features` (in normal form) record. Errors call `out` by `name`.
    ///
    /// # Errors
    /// [`Error::Archive`] for features that are not in normal form.
    pub fn new(out: W, name: &Path, features: FeatureFlags) -> Result<Self, Error> {
        let encoder = Encoder::new(features, &Limits::HOST).map_err(|error| Error::archive(name, error))?;
        let buffer = Vec::with_capacity(2 * BUFFER_LEN);
        Ok(Self { encoder, buffer, out, name: name.to_owned(), path: TreePath::default() })
    }

    fn drain(&mut self, len_min: usize) -> Result<(), Error> {
        if self.buffer.len() > len_min {
            self.out.write_all(&self.buffer).map_err(Error::file("write", &self.name))?;
            self.buffer.clear();
        }
        Ok(())
    }

    fn refused(&self, name: &[u8]) -> impl FnOnce(CatarError) -> Error {
        let path = self.path.shown(name);
        move |error| Error::archive(&path, error)
    }
}

impl<W: Write> Sink for ArchiveWriter<W> {
    fn node(&mut self, node: &Node) -> Result<(), Error> {
        self.encoder.node(node, &mut self.buffer).map_err(self.refused(&node.name))?;
        if node.content.is_directory() {
            self.path.enter(&node.name);
        }
        self.drain(BUFFER_LEN)
    }

    fn data(&mut self, bytes: &[u8], _is_last: bool) -> Result<(), Error> {
        if bytes.len() < BUFFER_LEN {
            self.encoder.data(bytes, &mut self.buffer).map_err(self.refused(b""))?;
            return self.drain(BUFFER_LEN);
        }
        self.encoder.skip_data(bytes.len() as u64).map_err(self.refused(b""))?;
        self.drain(0)?;
        self.out.write_all(bytes).map_err(Error::file("write", &self.name))
    }

    fn leave(&mut self) -> Result<(), Error> {
        self.encoder.leave(&mut self.buffer).map_err(self.refused(b""))?;
        self.path.leave();
        self.drain(BUFFER_LEN)
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.encoder.finish().map_err(self.refused(b""))?;
        self.drain(0)?;
        self.out.flush().map_err(Error::file("write", &self.name))
    }
}
